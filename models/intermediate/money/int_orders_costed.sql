{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'order': 'order_id'}},
) }}

with orders as (

    select * from {{ ref('int_orders_converted') }}
    where {{ touched('order', 'order_id') }}

),

order_items as (

    select * from {{ ref('int_order_items_valued') }}
    where {{ touched('order', 'order_id') }}

),

refund_lines as (

    select * from {{ ref('int_refund_lines') }}
    where {{ touched('order', 'order_id') }}

),

default_cost_share as (

    select max(value) as cost_share
    from {{ ref('cost_assumptions') }}
    where cost_kind = 'cost_of_goods_share' and category is null

),

line_costs as (

    select
        order_id,
        -- wider than one quantity, so that the largest two add up
        cast(sum(quantity) as decimal(24, 6)) as item_count,
        cast(sum({{ to_cents('line_cost') }}) as decimal(18, 2)) as sold_cost,
        bool_and(cost_quality <> 'unknown') as is_known,
        bool_or(cost_quality = 'assumed') as is_assumed
    from order_items
    group by order_id

),

restocked_costs as (

    select
        order_id,
        sum(restocked_cost) as restocked_cost
    from refund_lines
    group by order_id

),

-- an order without lines has a cost only where the seed has a default
judged as (

    select
        orders.order_id,
        orders.is_fee_assumed,
        line_costs.item_count,
        case
            when line_costs.order_id is null
                then {{ to_cents(
                    'default_cost_share.cost_share * orders.gross_sales'
                ) }}
            when line_costs.is_known then line_costs.sold_cost
        end as sold_cost,
        coalesce(restocked_costs.restocked_cost, 0) as restocked_cost,
        coalesce(line_costs.is_assumed, true) as is_assumed
    from orders
    cross join default_cost_share
    left join line_costs on orders.order_id = line_costs.order_id
    left join restocked_costs on orders.order_id = restocked_costs.order_id

),

final as (

    select
        order_id,
        item_count,
        cast(sold_cost as decimal(18, 2)) as sold_cost,
        cast(sold_cost - restocked_cost as decimal(18, 2)) as cost_of_goods,
        case
            when sold_cost is null then 'unknown'
            when is_assumed or is_fee_assumed then 'assumed'
            else 'actual'
        end as cost_quality
    from judged

)

select * from final
