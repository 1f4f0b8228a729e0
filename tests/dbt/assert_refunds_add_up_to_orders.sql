-- The refunds of an order add up to its refund_amount.
with refunds as (

    select
        order_id,
        sum(refund_amount) as refund_amount
    from {{ ref('fct_refunds') }}
    group by order_id

),

orders as (

    select * from {{ ref('fct_orders') }}

)

select
    orders.order_id,
    refunds.order_id as refunded_order_id
from orders
full join refunds on orders.order_id = refunds.order_id
where coalesce(orders.refund_amount, 0) <> coalesce(refunds.refund_amount, 0)
