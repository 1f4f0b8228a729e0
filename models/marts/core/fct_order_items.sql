{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'order': 'order_id'}},
) }}

with order_items as (

    select * from {{ ref('int_order_items_shared') }}
    where {{ touched('order', 'order_id') }}

),

refund_lines as (

    select * from {{ ref('int_refund_lines') }}
    where {{ touched('order', 'order_id') }}

),

returned as (

    select
        order_item_id,
        cast(sum(refunded_goods) as decimal(18, 2)) as refunded_goods,
        sum(returned_quantity) as returned_quantity,
        cast(sum(restocked_cost) as decimal(18, 2)) as restocked_cost
    from refund_lines
    group by order_item_id

),

-- what was refunded of the line itself, and its share of what was refunded of the order
settled as (

    select
        order_items.*,
        coalesce(returned.returned_quantity, 0) as returned_quantity,
        coalesce(returned.refunded_goods, 0)
        + order_items.spread_refund as refund_amount,
        {{ to_cents('order_items.line_cost') }}
        - coalesce(returned.restocked_cost, 0) as cost_of_goods
    from order_items
    left join returned on order_items.order_item_id = returned.order_item_id

),

netted as (

    select
        *,
        net_sales - refund_amount + shipping_amount + other_amount as net_revenue
    from settled

),

final as (

    select
        order_item_id,
        order_id,
        product_id,
        cast(quantity as decimal(18, 6)) as quantity,
        cast(returned_quantity as decimal(18, 6)) as returned_quantity,
        gross_sales,
        discount_amount,
        net_sales,
        cast(refund_amount as decimal(18, 2)) as refund_amount,
        cast(shipping_amount as decimal(18, 2)) as shipping_amount,
        cast(other_amount as decimal(18, 2)) as other_amount,
        cast(net_revenue as decimal(18, 2)) as net_revenue,
        cast(cost_of_goods as decimal(18, 2)) as cost_of_goods,
        cast(payment_fee as decimal(18, 2)) as payment_fee,
        cast(fulfilment_cost as decimal(18, 2)) as fulfilment_cost,
        cast(
            net_revenue - cost_of_goods - payment_fee - fulfilment_cost
            as decimal(18, 2)
        ) as contribution_margin,
        case
            when cost_quality = 'actual' and is_fee_assumed then 'assumed'
            else cost_quality
        end as cost_quality
    from netted

)

select * from final
