{% set by_row = {
    'storefront': {
        'customers': ref('stg_storefront__customers'),
        'products': ref('stg_storefront__products'),
        'promotions': ref('stg_storefront__promotions'),
    },
    'web': {'events': ref('stg_web__events')},
    'experiments': {
        'experiments': ref('stg_experiments__experiments'),
        'exposures': ref('stg_experiments__exposures'),
    },
    'support': {'tickets': ref('stg_support__tickets')},
    'feedback': {'nps_surveys': ref('stg_feedback__nps_surveys'), 'reviews': ref('stg_feedback__reviews')},
    'email': {'email_events': ref('stg_email__email_events')},
    'marketing': {'referrals': ref('stg_marketing__referrals')},
} %}
{% set by_order = {
    'order_items': ref('stg_storefront__order_items'),
    'refunds': ref('stg_storefront__refunds'),
    'deliveries': ref('stg_storefront__deliveries'),
} %}

with order_fates as (

    select * from {{ ref('int_order_fates') }}

),

settings as (

    select * from {{ ref('int_settings') }}

),

bucketed as (

    -- tables whose rows are judged by themselves
    {% for source_name, tables in by_row.items() %}{% for table_name, relation in tables.items() -%}
    select
        '{{ source_name }}' as source_name,
        '{{ table_name }}' as table_name,
        row_bucket,
        count(*) as row_count
    from {{ relation }}
    group by row_bucket
    union all
    {% endfor %}{% endfor -%}
    -- rows that share the fate of their order, duplicates included where it lies after as_of
    {% for table_name, relation in by_order.items() -%}
    select
        'storefront' as source_name,
        '{{ table_name }}' as table_name,
        case
            when {{ table_name }}.row_bucket in ('quarantined', 'after_as_of') then {{ table_name }}.row_bucket
            when order_fates.order_fate = 'after_as_of' then 'after_as_of'
            when {{ table_name }}.row_bucket = 'duplicate' then 'duplicate'
            when order_fates.order_fate = 'staged' then 'staged'
            else 'quarantined'
        end as row_bucket,
        count(*) as row_count
    from {{ relation }} as {{ table_name }}
    left join order_fates on {{ table_name }}.order_id = order_fates.order_id
    group by all
    union all
    {% endfor -%}
    -- rows that need a rate
    select
        'storefront' as source_name,
        'orders' as table_name,
        case
            when orders.row_bucket = 'staged' and coalesce(order_fates.order_fate, '') <> 'staged' then 'quarantined'
            else orders.row_bucket
        end as row_bucket,
        count(*) as row_count
    from {{ ref('stg_storefront__orders') }} as orders
    left join order_fates on orders.order_id = order_fates.order_id
    group by all
    union all
    select
        'email' as source_name,
        'campaigns' as table_name,
        row_bucket,
        count(*) as row_count
    from {{ ref('int_campaigns_converted') }}
    group by row_bucket
    union all
    select
        'email' as source_name,
        'campaigns' as table_name,
        row_bucket,
        count(*) as row_count
    from {{ ref('stg_email__campaigns') }}
    where row_bucket <> 'staged'
    group by row_bucket
    union all
    select
        'marketing' as source_name,
        'ad_spend' as table_name,
        row_bucket,
        count(*) as row_count
    from {{ ref('int_ad_spend_converted') }}
    group by row_bucket
    union all
    select
        'marketing' as source_name,
        'ad_spend' as table_name,
        row_bucket,
        count(*) as row_count
    from {{ ref('stg_marketing__ad_spend') }}
    where row_bucket not in ('staged', 'duplicate')
    group by row_bucket
    union all
    select
        'storefront' as source_name,
        'exchange_rates' as table_name,
        case
            when rates.row_bucket in ('staged', 'duplicate') and rates.rate_date > settings.as_of_date
                then 'after_as_of'
            else rates.row_bucket
        end as row_bucket,
        count(*) as row_count
    from {{ ref('stg_storefront__exchange_rates') }} as rates
    cross join settings
    group by all

),

final as (

    select
        source_name,
        table_name,
        row_bucket,
        sum(row_count) as row_count
    from bucketed
    group by all

)

select * from final
