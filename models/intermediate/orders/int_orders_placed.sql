{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'order': 'order_id', 'placed_order': 'order_id'},
        'emits': {'cart': 'cart_id', 'shopper': 'person_id'},
    },
    pre_hook="{{ touch('placed_order', ref('int_order_sessions'), 'order_id', touched(
        'session', 'session_id'
    )) }}",
) }}

{% set is_touched = touched(['order', 'placed_order'], 'order_id') %}

with orders as (

    select
        order_id,
        ordered_at,
        sales_channel,
        cart_id
    from {{ ref('int_orders_converted') }}
    where {{ is_touched }}

),

numbered as (

    select
        order_id,
        person_id
    from {{ ref('int_orders_numbered') }}
    where {{ is_touched }}

),

order_sessions as (

    select
        order_id,
        session_id
    from {{ ref('int_order_sessions') }}
    where {{ is_touched }}

),

sessions as (

    select * from {{ ref('int_sessions_owned') }}

),

-- an anonymous order is that of who was in its session; nobody's has a cart to close
final as (

    select
        orders.order_id,
        coalesce(numbered.person_id, sessions.person_id) as person_id,
        orders.ordered_at,
        orders.sales_channel,
        orders.cart_id,
        order_sessions.session_id
    from orders
    inner join numbered on orders.order_id = numbered.order_id
    left join order_sessions on orders.order_id = order_sessions.order_id
    left join sessions on order_sessions.session_id = sessions.session_id
    where
        coalesce(numbered.person_id, sessions.person_id) is not null
        or orders.cart_id is not null

)

select * from final
