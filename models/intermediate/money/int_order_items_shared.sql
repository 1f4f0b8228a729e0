{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'order': 'order_id'}},
) }}

{% set parts = {
    'shipping_amount': ['order_shipping_amount', 'weight'],
    'other_amount': ['order_other_amount', 'weight'],
    'payment_fee': ['order_payment_fee', 'weight'],
    'fulfilment_cost': ['order_fulfilment_cost', 'weight'],
    'spread_refund': ['order_spread_refund', 'weight'],
} %}

with order_items as (

    select * from {{ ref('int_order_items_valued') }}
    where {{ touched('order', 'order_id') }}

),

orders as (

    select * from {{ ref('int_orders_converted') }}
    where {{ touched('order', 'order_id') }}

),

refunds as (

    select * from {{ ref('int_refunds_converted') }}
    where {{ touched('order', 'order_id') }}

),

-- shipping refunds, and refunds without a line, are spread over the order
order_refunds as (

    select
        order_id,
        cast(sum(
            refunded_shipping
            + case when refunded_item_id is null then refunded_goods else 0 end
        ) as decimal(18, 2)) as spread_refund
    from refunds
    group by order_id

),

-- lines of an order without sales have no amounts to share by
worthless as (

    select
        order_id,
        sum(gross_weight) as gross_weight
    from order_items
    where gross_sales = 0
    group by order_id

),

-- by net sales (0: by gross), which lines and order have in common to the cent
headers as (

    select
        orders.order_id,
        orders.shipping_amount as order_shipping_amount,
        orders.other_amount as order_other_amount,
        orders.payment_fee as order_payment_fee,
        orders.fulfilment_cost as order_fulfilment_cost,
        coalesce(order_refunds.spread_refund, 0) as order_spread_refund,
        orders.is_fee_assumed,
        case
            when orders.net_sales <> 0 then 'net'
            when orders.gross_sales <> 0 then 'gross'
            else 'price'
        end as weighed_by,
        case
            when orders.net_sales <> 0 then cast(orders.net_sales as double)
            when orders.gross_sales <> 0 then cast(orders.gross_sales as double)
            else worthless.gross_weight
        end as weight_sum
    from orders
    left join order_refunds on orders.order_id = order_refunds.order_id
    left join worthless on orders.order_id = worthless.order_id

),

weighed as (

    select
        order_items.*,
        {% for part in parts -%}
        headers.order_{{ part }},
        {% endfor -%}
        headers.is_fee_assumed,
        headers.weight_sum,
        case headers.weighed_by
            when 'net' then cast(order_items.net_sales as double)
            when 'gross' then cast(order_items.gross_sales as double)
            else order_items.gross_weight
        end as weight
    from order_items
    inner join headers on order_items.order_id = headers.order_id

),

shared as (

    select
        {% for part in parts -%}
        {{ to_cents('order_' ~ part ~ ' * (weight / weight_sum)') }} as {{ part }},
        {% endfor -%}
        *
    from weighed

),

{{ remainders('shared', parts) }},

final as (

    select
        shared.order_item_id,
        shared.order_id,
        shared.product_id,
        shared.quantity,
        shared.gross_sales,
        shared.discount_amount,
        shared.net_sales,
        {% for part in parts -%}
        shared.{{ part }} + coalesce(remainders.{{ part }}, 0) as {{ part }},
        {% endfor -%}
        shared.line_cost,
        shared.cost_quality,
        shared.is_fee_assumed
    from shared
    left join remainders on shared.order_item_id = remainders.order_item_id

)

select * from final
