{% set judged_here = {
    'order_items': 'storefront',
    'refunds': 'storefront',
    'deliveries': 'storefront',
    'orders': 'storefront',
    'exchange_rates': 'storefront',
    'campaigns': 'email',
    'ad_spend': 'marketing',
} %}

with order_fates as (

    select * from {{ ref('int_order_fates') }}

),

settings as (

    select * from {{ ref('int_settings') }}

),

orders as (

    select * from {{ ref('stg_storefront__orders') }}

),

exchange_rates as (

    select * from {{ ref('stg_storefront__exchange_rates') }}

),

converted_refunds as (

    select * from {{ ref('int_refunds_converted') }}

),

{% for table_name, relation in {
    'order_items': ref('stg_storefront__order_items'),
    'refunds': ref('stg_storefront__refunds'),
    'deliveries': ref('stg_storefront__deliveries'),
}.items() -%}
{{ table_name }} as (

    select * from {{ relation }}

),

-- they share the fate of their order, duplicates as well where it lies after as_of; a
-- refund larger than money can be is set aside
{{ table_name }}_judged as (

    select
        case
            when {{ table_name }}.row_bucket in ('quarantined', 'after_as_of')
                then {{ table_name }}.row_bucket
            when order_fates.order_fate = 'after_as_of' then 'after_as_of'
            when {{ table_name }}.row_bucket = 'duplicate' then 'duplicate'
            {%- if table_name == 'refunds' %}
            when converted_refunds.refund_id is null then 'quarantined'
            {%- endif %}
            when order_fates.order_fate = 'staged' then 'staged'
            else 'quarantined'
        end as row_bucket
    from {{ table_name }}
    left join order_fates on {{ table_name }}.order_id = order_fates.order_id
    {%- if table_name == 'refunds' %}
    left join converted_refunds on refunds.refund_id = converted_refunds.refund_id
    {%- endif %}

),

{% endfor -%}
-- without a rate an order is set aside
orders_judged as (

    select
        case
            when orders.row_bucket <> 'staged' or order_fates.order_fate = 'staged'
                then orders.row_bucket
            else 'quarantined'
        end as row_bucket
    from orders
    left join order_fates on orders.order_id = order_fates.order_id

),

exchange_rates_judged as (

    select
        case
            when
                exchange_rates.row_bucket in ('staged', 'duplicate')
                and exchange_rates.rate_date > settings.as_of_date
                then 'after_as_of'
            else exchange_rates.row_bucket
        end as row_bucket
    from exchange_rates
    cross join settings

),

-- the steps that convert campaigns and spend have judged the rows that they read
campaigns_judged as (

    select row_bucket from {{ ref('int_campaigns_converted') }}
    union all
    select row_bucket from {{ ref('stg_email__campaigns') }}
    where row_bucket <> 'staged'

),

ad_spend_judged as (

    select row_bucket from {{ ref('int_ad_spend_converted') }}
    union all
    select row_bucket from {{ ref('stg_marketing__ad_spend') }}
    where row_bucket not in ('staged', 'duplicate')

),

final as (

    select
        source_name,
        table_name,
        row_bucket,
        count(*) as row_count
    from {{ ref('int_staged_rows') }}
    where
        table_name not in (
            {% for table_name in judged_here -%}
            '{{ table_name }}'{{ ',' if not loop.last }}
            {% endfor %}
        )
    group by all
    union all
    {% for table_name, source_name in judged_here.items() -%}
    select
        '{{ source_name }}' as source_name,
        '{{ table_name }}' as table_name,
        row_bucket,
        count(*) as row_count
    from {{ table_name }}_judged
    group by row_bucket
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from final
