{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'order': 'order_id'}, 'emits': {'profile': 'person_id'}},
    pre_hook=[
        "{{ touch('order', ref('int_order_sessions'), 'order_id', touched('session', 'session_id')) }}",
        "{{ touch('order', this, 'order_id', 'is_refund_mature <> (
            ordered_at + interval ' ~ var('refund_window_days') ~ ' day
            <= (select max(as_of) from ' ~ ref('int_settings') ~ ')
        )') }}",
    ],
) }}

with orders as (

    select * from {{ ref('int_orders_netted') }}
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

order_sessions as (

    select * from {{ ref('int_order_sessions') }}
    where {{ touched('order', 'order_id') }}

),

landed as (

    select * from {{ ref('int_sessions_landed') }}

),

settings as (

    select * from {{ ref('int_settings') }}

),

final as (

    select
        orders.order_id,
        numbered.person_id,
        orders.ordered_at,
        orders.order_date,
        orders.sales_channel,
        orders.store_id,
        orders.country,
        orders.status,
        orders.is_cancelled,
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
        orders.gross_sales,
        orders.discount_amount,
        orders.net_sales,
        cast(orders.refund_amount as decimal(18, 2)) as refund_amount,
        orders.shipping_amount,
        orders.other_amount,
        cast(orders.net_revenue as decimal(18, 2)) as net_revenue,
        costs.cost_of_goods,
        orders.payment_fee,
        orders.fulfilment_cost,
        cast(
            orders.net_revenue - costs.cost_of_goods
            - orders.payment_fee - orders.fulfilment_cost as decimal(18, 2)
        ) as contribution_margin,
        costs.cost_quality,
        orders.ordered_at + interval '{{ var('refund_window_days') }}' day
        <= settings.as_of as is_refund_mature,
        orders.original_currency,
        cast(orders.original_total as decimal(18, 2)) as original_total,
        orders.exchange_rate,
        orders.tax_amount
    from orders
    inner join numbered on orders.order_id = numbered.order_id
    inner join costs on orders.order_id = costs.order_id
    left join order_sessions on orders.order_id = order_sessions.order_id
    left join landed on order_sessions.session_id = landed.session_id
    cross join settings

)

select * from final
