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

with arrivals as (

    {% for source_name, tables in staged.items() -%}
    {% set is_last_source = loop.last -%}
    {% for table_name, relation in tables.items() -%}
    select
        '{{ source_name }}' as source_name,
        '{{ table_name }}' as table_name,
        _loaded_at as loaded_at,
        case
            when row_bucket <> 'quarantined'
                then {{ news_time(raw_contract(source_name, table_name)) }}
        end as happened_at
    from {{ relation }}
    where _loaded_at is not null
    {{ 'union all' if not (loop.last and is_last_source) }}
    {% endfor -%}
    {% endfor %}

),

timed as (

    select
        source_name,
        table_name,
        {{ reporting_date('loaded_at') }} as loaded_date,
        coalesce(
            loaded_at > happened_at + interval '{{ var('late_arrival_days') }}' day,
            false
        ) as is_late,
        {{ seconds_between('happened_at', 'loaded_at') }} / 86400 as days_late
    from arrivals

),

final as (

    select
        source_name,
        table_name,
        loaded_date,
        count(*) as row_count,
        count(*) filter (where is_late) as late_row_count,
        cast(greatest(max(days_late), 0) as double) as days_late_max
    from timed
    group by all

)

select * from final
