{{ config(materialized='view') }}

with orders as (

    select * from {{ ref('int_orders_converted') }}

),

refunded as (

    select
        order_id,
        cast(sum(refund_amount) as decimal(18, 2)) as refund_amount
    from {{ ref('int_refunds_converted') }}
    group by order_id

),

final as (

    select
        orders.*,
        coalesce(refunded.refund_amount, 0) as refund_amount,
        orders.net_sales - coalesce(refunded.refund_amount, 0)
        + orders.shipping_amount + orders.other_amount as net_revenue
    from orders
    left join refunded on orders.order_id = refunded.order_id

)

select * from final
