{{ config(materialized='view') }}

with order_items as (

    select * from {{ ref('int_order_items_valued') }}

),

orders as (

    select * from {{ ref('int_orders_converted') }}

),

default_cost_share as (

    select max(value) as cost_share
    from {{ ref('cost_assumptions') }}
    where cost_kind = 'cost_of_goods_share' and category is null

),

final as (

    select
        order_item_id,
        order_id,
        quantity,
        net_sales,
        line_cost
    from order_items
    union all
    select
        cast(null as varchar) as order_item_id,
        orders.order_id,
        1 as quantity,
        orders.net_sales,
        default_cost_share.cost_share * orders.gross_sales as line_cost
    from orders
    cross join default_cost_share
    anti join order_items on orders.order_id = order_items.order_id

)

select * from final
