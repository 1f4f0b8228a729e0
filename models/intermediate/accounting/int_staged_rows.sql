-- what every staging model says of its rows: a list that three steps need
{{ config(materialized='view') }}

{% set staged = {
    'storefront': {
        'orders': ref('stg_storefront__orders'),
        'order_items': ref('stg_storefront__order_items'),
        'customers': ref('stg_storefront__customers'),
        'products': ref('stg_storefront__products'),
        'refunds': ref('stg_storefront__refunds'),
        'deliveries': ref('stg_storefront__deliveries'),
        'promotions': ref('stg_storefront__promotions'),
        'exchange_rates': ref('stg_storefront__exchange_rates'),
    },
    'web': {
        'events': ref('stg_web__events'),
    },
    'experiments': {
        'experiments': ref('stg_experiments__experiments'),
        'exposures': ref('stg_experiments__exposures'),
    },
    'support': {
        'tickets': ref('stg_support__tickets'),
    },
    'feedback': {
        'nps_surveys': ref('stg_feedback__nps_surveys'),
        'reviews': ref('stg_feedback__reviews'),
    },
    'email': {
        'campaigns': ref('stg_email__campaigns'),
        'email_events': ref('stg_email__email_events'),
    },
    'marketing': {
        'ad_spend': ref('stg_marketing__ad_spend'),
        'referrals': ref('stg_marketing__referrals'),
    },
} %}

with final as (

    {% for source_name, tables in staged.items() -%}
    {% set is_last_source = loop.last -%}
    {% for table_name, relation in tables.items() -%}
    select
        '{{ source_name }}' as source_name,
        '{{ table_name }}' as table_name,
        row_bucket,
        _loaded_at as loaded_at,
        case
            when row_bucket <> 'quarantined'
                then {{ news_time(raw_contract(source_name, table_name)) }}
        end as happened_at,
        row_key,
        quarantine_id,
        quarantine_reason,
        raw_row
    from {{ relation }}
    {{ 'union all' if not (loop.last and is_last_source) }}
    {% endfor -%}
    {% endfor %}

)

select * from final
