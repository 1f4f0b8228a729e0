{% set contracts = {
    'order_items': raw_contract('storefront', 'order_items'),
    'refunds': raw_contract('storefront', 'refunds'),
    'deliveries': raw_contract('storefront', 'deliveries'),
    'orders': raw_contract('storefront', 'orders'),
    'campaigns': raw_contract('email', 'campaigns'),
    'ad_spend': raw_contract('marketing', 'ad_spend'),
} %}
{% set no_rate = "'missing_rate: no rate of ' || currency"
    ~ " || ' within 7 days up to the '" %}

with order_fates as (

    select * from {{ ref('int_order_fates') }}

),

converted_orders as (

    select * from {{ ref('int_orders_converted') }}

),

converted_refunds as (

    select * from {{ ref('int_refunds_converted') }}

),

unrated_campaigns as (

    select * from {{ ref('int_campaigns_converted') }}
    where row_bucket = 'quarantined'

),

unrated_ad_spend as (

    select * from {{ ref('int_ad_spend_converted') }}
    where row_bucket = 'quarantined'

),

{% for table_name, relation in {
    'order_items': ref('stg_storefront__order_items'),
    'refunds': ref('stg_storefront__refunds'),
    'deliveries': ref('stg_storefront__deliveries'),
    'orders': ref('stg_storefront__orders'),
    'campaigns': ref('stg_email__campaigns'),
    'ad_spend': ref('stg_marketing__ad_spend'),
}.items() -%}
staged_{{ table_name }} as (

    select * from {{ relation }}
    where row_bucket = 'staged'

),

{% endfor -%}
{% for table_name in ['order_items', 'deliveries'] -%}
{{ table_name }}_set_aside as (

    select
        staged_{{ table_name }}.*,
        'order_missing: order ' || staged_{{ table_name }}.order_id || ' is not staged'
            as cause
    from staged_{{ table_name }}
    anti join order_fates on staged_{{ table_name }}.order_id = order_fates.order_id

),

{% endfor -%}
refunds_set_aside as (

    select
        staged_refunds.*,
        case
            when order_fates.order_id is null
                then
                    'order_missing: order ' || staged_refunds.order_id
                    || ' is not staged'
            else 'missing_rate: at its order''s rate it is more than money can be'
        end as cause
    from staged_refunds
    left join order_fates on staged_refunds.order_id = order_fates.order_id
    left join converted_refunds
        on staged_refunds.refund_id = converted_refunds.refund_id
    where
        order_fates.order_id is null
        or (order_fates.order_fate = 'staged' and converted_refunds.refund_id is null)

),

orders_set_aside as (

    select
        staged_orders.*,
        {{ no_rate }} || 'order, or more than money can be' as cause
    from staged_orders
    anti join converted_orders on staged_orders.order_id = converted_orders.order_id

),

campaigns_set_aside as (

    select
        staged_campaigns.*,
        {{ no_rate }} || 'campaign, or more than money can be' as cause
    from staged_campaigns
    semi join unrated_campaigns
        on staged_campaigns.campaign_id = unrated_campaigns.campaign_id

),

ad_spend_set_aside as (

    select
        staged_ad_spend.*,
        {{ no_rate }} || 'day, or more than money can be' as cause
    from staged_ad_spend
    semi join unrated_ad_spend
        on
            staged_ad_spend.spend_date = unrated_ad_spend.spend_date
            and staged_ad_spend.channel = unrated_ad_spend.channel
            and (
                staged_ad_spend.campaign is not distinct from unrated_ad_spend.campaign
            )
            and staged_ad_spend.currency = unrated_ad_spend.currency

),

rows_set_aside as (

    {% for table_name, contract in contracts.items() -%}
    select
        '{{ contract.source }}' as source_name,
        '{{ table_name }}' as table_name,
        {{ staged_row_key(contract) }} as row_key,
        cause as quarantine_reason,
        coalesce(raw_row, {{ staged_row_json(contract) }}) as raw_row
    from {{ table_name }}_set_aside
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

final as (

    select
        {{ hashed_id(
            "source_name || '.' || table_name || '|' || row_key"
        ) }} as quarantine_id,
        source_name,
        table_name,
        row_key,
        quarantine_reason,
        raw_row
    from rows_set_aside

)

select * from final
