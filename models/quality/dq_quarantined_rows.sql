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

with across_tables as (

    select * from {{ ref('int_rows_quarantined_across_tables') }}

),

quarantined as (

    {% for source_name, tables in staged.items() -%}
    {% for table_name, relation in tables.items() -%}
    select
        quarantine_id,
        '{{ source_name }}' as source_name,
        '{{ table_name }}' as table_name,
        row_key,
        quarantine_reason,
        raw_row
    from {{ relation }}
    where row_bucket = 'quarantined'
    union all
    {% endfor -%}
    {% endfor -%}
    select
        quarantine_id,
        source_name,
        table_name,
        row_key,
        quarantine_reason,
        raw_row
    from across_tables

),

final as (

    select
        quarantine_id,
        source_name,
        table_name,
        row_key,
        split_part(quarantine_reason, ': ', 1) as reason_code,
        quarantine_reason as reason,
        raw_row
    from quarantined

)

select * from final
