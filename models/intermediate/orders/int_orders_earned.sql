{{ config(materialized='view') }}

with orders as (

    select * from {{ ref('int_orders_netted') }}

),

numbered as (

    select * from {{ ref('int_orders_numbered') }}

),

costs as (

    select * from {{ ref('int_orders_costed') }}

),

final as (

    select
        numbered.person_id,
        orders.order_id,
        orders.ordered_at,
        orders.order_date,
        orders.sales_channel,
        orders.is_cancelled,
        orders.net_sales,
        orders.net_revenue,
        orders.net_revenue - costs.cost_of_goods
        - orders.payment_fee - orders.fulfilment_cost as contribution_margin,
        costs.cost_quality
    from numbered
    inner join orders on numbered.order_id = orders.order_id
    inner join costs on numbered.order_id = costs.order_id

)

select * from final
