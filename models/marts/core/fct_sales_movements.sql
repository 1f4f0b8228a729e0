{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'order': 'order_id'}},
) }}

with orders as (

    select * from {{ ref('int_orders_converted') }}
    where {{ touched('order', 'order_id') }}

),

numbered as (

    select * from {{ ref('int_orders_numbered') }}
    where {{ touched('order', 'order_id') }}

),

costs as (

    select * from {{ ref('int_orders_costed') }}
    where {{ touched('order', 'order_id') }}

),

refunds as (

    select * from {{ ref('int_refunds_converted') }}
    where {{ touched('order', 'order_id') }}

),

refund_costs as (

    select
        refund_id,
        cast(sum(restocked_cost) as decimal(18, 2)) as restocked_cost
    from {{ ref('int_refund_lines') }}
    where {{ touched('order', 'order_id') }}
    group by refund_id

),

sales as (

    select
        orders.order_id,
        'sale' as movement_kind,
        orders.order_id as moved_by,
        orders.gross_sales,
        orders.discount_amount,
        orders.net_sales,
        cast(0 as decimal(18, 2)) as refund_amount,
        orders.shipping_amount,
        orders.other_amount,
        costs.sold_cost as cost_of_goods,
        orders.payment_fee,
        orders.fulfilment_cost,
        orders.ordered_at as moved_at
    from orders
    inner join costs on orders.order_id = costs.order_id

),

-- a restocked return gives its cost back on the day of the refund
refundings as (

    select
        refunds.order_id,
        'refund' as movement_kind,
        refunds.refund_id as moved_by,
        0 as gross_sales,
        0 as discount_amount,
        0 as net_sales,
        refunds.refund_amount,
        0 as shipping_amount,
        0 as other_amount,
        case
            when costs.sold_cost is not null
                then -coalesce(refund_costs.restocked_cost, 0)
        end as cost_of_goods,
        0 as payment_fee,
        0 as fulfilment_cost,
        refunds.refunded_at as moved_at
    from refunds
    inner join costs on refunds.order_id = costs.order_id
    left join refund_costs on refunds.refund_id = refund_costs.refund_id

),

moved as (

    select * from sales
    union all
    select * from refundings

),

-- what a cancelled order moved, later refunds included, is taken back at that time
cancellations as (

    select
        moved.order_id,
        'cancellation' as movement_kind,
        moved.order_id as moved_by,
        {% for column in money_parts() -%}
        cast(-sum(moved.{{ column }}) as decimal(18, 2)) as {{ column }},
        {% endfor -%}
        max(orders.cancellation_at) as moved_at
    from moved
    inner join orders on moved.order_id = orders.order_id
    where orders.is_cancelled
    group by moved.order_id

),

movements as (

    select * from moved
    union all
    select * from cancellations

),

netted as (

    select
        *,
        net_sales - refund_amount + shipping_amount + other_amount as net_revenue
    from movements

),

final as (

    select
        {{ hashed_id(
            "netted.movement_kind || ':' || netted.moved_by"
        ) }} as movement_id,
        netted.order_id,
        numbered.person_id,
        netted.movement_kind,
        netted.moved_at,
        {{ reporting_date('netted.moved_at') }} as moved_date,
        {% for column in money_parts() + ['net_revenue'] -%}
        cast(netted.{{ column }} as decimal(18, 2)) as {{ column }},
        {% endfor -%}
        cast(
            netted.net_revenue - netted.cost_of_goods
            - netted.payment_fee - netted.fulfilment_cost as decimal(18, 2)
        ) as contribution_margin,
        costs.cost_quality
    from netted
    inner join numbered on netted.order_id = numbered.order_id
    inner join costs on netted.order_id = costs.order_id

)

select * from final
