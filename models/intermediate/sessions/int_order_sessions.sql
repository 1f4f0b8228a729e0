{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'order': 'order_id', 'placement': 'order_id'},
        'emits': {'device': 'anonymous_id', 'order': 'order_id', 'session': 'session_id'},
    },
    pre_hook="{{ touch('placement', ref('int_orders_converted'), 'order_id', touched('device', 'anonymous_id')) }}",
) }}

{% set is_touched = touched(['order', 'placement'], 'order_id') %}

with orders as (

    select
        order_id,
        anonymous_id,
        customer_id,
        email_hash,
        ordered_at
    from {{ ref('int_orders_converted') }}
    where {{ is_touched }}

),

order_events as (

    select
        order_id,
        min_by(
            session_id, row(occurred_at, event_id)
        ) as session_id
    from {{ ref('int_events_sessionised') }}
    where order_id is not null and {{ is_touched }}
    group by order_id

),

sessions as (

    select * from {{ ref('int_sessions_summarised') }}

),

-- the page may not have told: the device's latest session that the order falls into
sessions_around as (

    select
        orders.order_id,
        max_by(sessions.session_id, sessions.first_event_number) as session_id
    from orders
    inner join sessions
        on
            orders.anonymous_id = sessions.anonymous_id
            and orders.ordered_at >= sessions.started_at
            and orders.ordered_at
            <= sessions.ended_at
            + interval '{{ var('session_timeout_minutes') }}' minute
    group by orders.order_id

),

placed as (

    select
        orders.*,
        sessions_around.session_id as device_session_id,
        coalesce(order_events.session_id, sessions_around.session_id) as session_id
    from orders
    left join order_events on orders.order_id = order_events.order_id
    left join sessions_around on orders.order_id = sessions_around.order_id

),

-- an order's device may differ from that of the page that told of it
final as (

    select
        placed.*,
        sessions.session_id is not null as is_on_device
    from placed
    left join sessions
        on
            placed.session_id = sessions.session_id
            and placed.anonymous_id = sessions.anonymous_id
    where placed.session_id is not null or placed.anonymous_id is not null

)

select * from final
