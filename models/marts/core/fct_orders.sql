with orders as (

    select * from {{ ref('int_orders_converted') }}

),

numbered as (

    select * from {{ ref('int_orders_numbered') }}

),

costs as (

    select * from {{ ref('int_orders_costed') }}

),

order_sessions as (

    select * from {{ ref('int_order_sessions') }}

),

landed as (

    select * from {{ ref('int_sessions_landed') }}

),

settings as (

    select * from {{ ref('int_settings') }}

),

refunded as (

    select
        order_id,
        cast(sum(refund_amount) as decimal(18, 2)) as refund_amount
    from {{ ref('int_refunds_converted') }}
    group by order_id

),

netted as (

    select
        orders.*,
        coalesce(refunded.refund_amount, 0) as refund_amount,
        orders.net_sales - coalesce(refunded.refund_amount, 0)
        + orders.shipping_amount + orders.other_amount as net_revenue
    from orders
    left join refunded on orders.order_id = refunded.order_id

),

final as (

    select
        netted.order_id,
        numbered.person_id,
        netted.ordered_at,
        netted.order_date,
        netted.sales_channel,
        netted.store_id,
        netted.country,
        netted.status,
        netted.is_cancelled,
        cast(numbered.person_order_number as integer) as person_order_number,
        numbered.is_first_order,
        cast(
            numbered.days_since_previous_order as integer
        ) as days_since_previous_order,
        numbered.promotion_id,
        numbered.discount_share,
        numbered.is_promo_order,
        order_sessions.session_id,
        landed.device_type,
        cast(costs.item_count as decimal(18, 2)) as item_count,
        netted.gross_sales,
        netted.discount_amount,
        netted.net_sales,
        cast(netted.refund_amount as decimal(18, 2)) as refund_amount,
        netted.shipping_amount,
        netted.other_amount,
        cast(netted.net_revenue as decimal(18, 2)) as net_revenue,
        costs.cost_of_goods,
        netted.payment_fee,
        netted.fulfilment_cost,
        cast(
            netted.net_revenue - costs.cost_of_goods
            - netted.payment_fee - netted.fulfilment_cost as decimal(18, 2)
        ) as contribution_margin,
        costs.cost_quality,
        netted.ordered_at + interval '{{ var('refund_window_days') }}' day
        <= settings.as_of as is_refund_mature,
        netted.original_currency,
        cast(netted.original_total as decimal(18, 2)) as original_total,
        netted.exchange_rate,
        netted.tax_amount
    from netted
    inner join numbered on netted.order_id = numbered.order_id
    inner join costs on netted.order_id = costs.order_id
    left join order_sessions on netted.order_id = order_sessions.order_id
    left join landed on order_sessions.session_id = landed.session_id
    cross join settings

)

select * from final
