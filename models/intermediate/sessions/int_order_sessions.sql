with orders as (

    select
        order_id,
        anonymous_id,
        ordered_at
    from {{ ref('int_orders_converted') }}

),

order_events as (

    select
        order_id,
        min_by(
            session_id, row(occurred_at, event_id)
        ) as session_id
    from {{ ref('int_events_sessionised') }}
    where order_id is not null
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

final as (

    select
        orders.order_id,
        coalesce(order_events.session_id, sessions_around.session_id) as session_id
    from orders
    left join order_events on orders.order_id = order_events.order_id
    left join sessions_around on orders.order_id = sessions_around.order_id
    where order_events.session_id is not null or sessions_around.session_id is not null

)

select * from final
