{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {
            'person': 'person_id', 'shopper': 'person_id', 'visitor_of_device': 'person_id'
        },
        'emits': {'traveller': 'person_id'},
    },
    pre_hook="{{ touch('visitor_of_device', ref('int_sessions_owned'), 'person_id', touched(
        'device', 'anonymous_id'
    )) }}",
) }}

{% set is_touched = touched(['person', 'shopper', 'visitor_of_device'], 'person_id') %}

with orders as (

    select
        person_id,
        order_id,
        ordered_at,
        lag(ordered_at) over person_history as previous_ordered_at,
        row_number() over person_history as leg_number,
        lead(order_id) over person_history is null as is_last_order
    from {{ ref('int_orders_placed') }}
    where person_id is not null and {{ is_touched }}
    window person_history as (partition by person_id order by ordered_at, order_id)

),

owned as (

    select
        session_id,
        person_id
    from {{ ref('int_sessions_owned') }}
    where {{ is_touched }}

),

events as (

    select
        session_id,
        event_name,
        occurred_at
    from {{ ref('int_events_sessionised') }}
    where
        event_name in ('product_view', 'add_to_cart', 'cart_view', 'checkout_started')

),

buyers as (

    select person_id
    from orders
    group by person_id

),

-- only who bought has a leg in which it matters
owned_events as (

    select
        owned.person_id,
        events.event_name,
        events.occurred_at
    from owned
    semi join buyers on owned.person_id = buyers.person_id
    inner join events on owned.session_id = events.session_id

),

marks as (

    select
        orders.order_id,
        min(
            case
                when owned_events.event_name <> 'checkout_started'
                    then owned_events.occurred_at
            end
        ) as first_interest_at,
        max(
            case
                when owned_events.event_name = 'checkout_started'
                    then owned_events.occurred_at
            end
        ) as checkout_started_at
    from orders
    inner join owned_events
        on
            orders.person_id = owned_events.person_id
            and orders.ordered_at >= owned_events.occurred_at
            and (
                orders.previous_ordered_at is null
                or orders.previous_ordered_at < owned_events.occurred_at
            )
    group by orders.order_id

),

final as (

    select
        orders.person_id,
        orders.leg_number,
        orders.previous_ordered_at,
        orders.order_id,
        orders.ordered_at,
        marks.first_interest_at,
        marks.checkout_started_at
    from orders
    left join marks on orders.order_id = marks.order_id
    union all
    select
        person_id,
        leg_number + 1 as leg_number,
        ordered_at as previous_ordered_at,
        null as order_id,
        null as ordered_at,
        null as first_interest_at,
        null as checkout_started_at
    from orders
    where is_last_order

)

select * from final
