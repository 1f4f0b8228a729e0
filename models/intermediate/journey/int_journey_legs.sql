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

-- an event belongs to the order that it comes before, be it at the same moment
history as (

    select
        person_id,
        occurred_at,
        event_name,
        0 as is_order
    from owned_events
    union all
    select
        person_id,
        ordered_at as occurred_at,
        null as event_name,
        1 as is_order
    from orders

),

numbered as (

    select
        person_id,
        occurred_at,
        event_name,
        1 + cast(sum(is_order) over (
            partition by person_id
            order by occurred_at, is_order
            rows between unbounded preceding and current row
        ) as integer) as leg_number
    from history

),

marks as (

    select
        person_id,
        leg_number,
        min(
            case when event_name <> 'checkout_started' then occurred_at end
        ) as first_interest_at,
        max(
            case when event_name = 'checkout_started' then occurred_at end
        ) as checkout_started_at
    from numbered
    where event_name is not null
    group by person_id, leg_number

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
    left join marks
        on
            orders.person_id = marks.person_id
            and orders.leg_number = marks.leg_number
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
