{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'shopper': 'shopper_id'}, 'emits': {'told_cart': 'cart_id'}},
    pre_hook=[
        "{{ touch('shopper', this, 'shopper_id', touched('cart', 'cart_id')) }}",
        "{{ touch('shopper', ref('int_cart_events'), 'person_id', touched('cart', 'cart_id')) }}",
        "{{ touch('shopper', ref('int_orders_placed'), 'person_id', touched('cart', 'cart_id')) }}",
    ],
) }}

{% set silence = (var('cart_abandon_hours') | float * 3600000000) | round | int %}
with cart_events as (

    select * from {{ ref('int_cart_events') }}
    where cart_id is not null

),

orders as (

    select * from {{ ref('int_orders_placed') }}

),

reminders as (

    select * from {{ ref('int_cart_reminders') }}

),

adds as (

    select * from cart_events
    where moment = 'add'

),

events as (

    select * from cart_events
    where
        cart_id in (
            select adds.cart_id from adds
            where {{ touched('shopper', 'adds.person_id') }}
        )

),

-- a session is one person's, on one device; texts are keys, which can go to disk
carts as (

    select
        cart_id,
        session_id,
        person_id,
        min(occurred_at) filter (where moment = 'add') as created_at,
        min(occurred_at) filter (where moment <> 'add') as first_other_at,
        max(occurred_at) as last_activity_at,
        min(occurred_at) filter (where moment = 'checkout') as checkout_started_at,
        max(checkout_step) as furthest_checkout_step,
        bool_and(moment <> 'remove') as is_kept
    from events
    group by cart_id, session_id, person_id

),

simple_carts as (

    select cart_id from carts
    group by cart_id
    having count(*) = 1 and bool_and(is_kept)

),

products as (

    select
        cart_id,
        product_id,
        sum(quantity) as quantity,
        min(unit_price) as unit_price,
        coalesce(min(unit_price) = max(unit_price), true)
        and count(unit_price) in (0, count(*)) as is_of_one_price
    from events
    where moment = 'add'
    group by cart_id, product_id

),

-- rounded: the same in whatever order it is summed
contents as (

    select
        cart_id,
        round(sum(quantity), 6) as item_count,
        case
            when count(unit_price) = count(*)
                then round(sum(quantity * unit_price), 6)
        end as cart_value
    from products
    group by cart_id
    having bool_and(is_of_one_price)

),

named_orders as (

    select
        cart_id,
        count(*) as order_count,
        min(order_id) as order_id,
        min(ordered_at) as ordered_at
    from orders
    where cart_id is not null
    group by cart_id

),

-- filled without a pause, then ordered by its name or left
candidates as (

    select
        carts.*,
        named_orders.order_id,
        named_orders.ordered_at,
        carts.last_activity_at + interval '{{ silence }}' microsecond as silent_at
    from carts
    semi join simple_carts on carts.cart_id = simple_carts.cart_id
    left join named_orders on carts.cart_id = named_orders.cart_id
    where
        coalesce(carts.first_other_at > carts.created_at, true)
        and carts.last_activity_at
        < carts.created_at + interval '{{ silence }}' microsecond
        and coalesce(
            named_orders.order_count = 1
            and named_orders.ordered_at >= carts.last_activity_at, true
        )

),

-- an order without a name might close it
contested as (

    select candidates.cart_id
    from candidates
    inner join orders
        on
            candidates.person_id = orders.person_id
            and candidates.created_at <= orders.ordered_at
            and coalesce(
                candidates.ordered_at,
                candidates.silent_at + interval '{{ var('cart_recovery_days') }}' day
            ) >= orders.ordered_at
    anti join adds on orders.cart_id = adds.cart_id

),

ends as (

    select
        candidates.cart_id,
        least(min(reminders.occurred_at), candidates.silent_at) as ends_at
    from candidates
    left join reminders
        on
            candidates.person_id = reminders.person_id
            and candidates.created_at <= reminders.occurred_at
    group by candidates.cart_id, candidates.silent_at

),

final as (

    select
        candidates.cart_id,
        candidates.person_id as shopper_id,
        candidates.person_id,
        candidates.created_at,
        candidates.last_activity_at,
        contents.item_count,
        contents.cart_value,
        candidates.checkout_started_at,
        candidates.furthest_checkout_step,
        case
            when coalesce(ends.ends_at <= candidates.ordered_at, true) then ends.ends_at
        end as abandoned_at,
        false as is_emptied,
        candidates.order_id,
        candidates.ordered_at,
        cast(1 as integer) as session_count,
        cast(1 as integer) as device_count
    from candidates
    inner join contents on candidates.cart_id = contents.cart_id
    inner join ends on candidates.cart_id = ends.cart_id
    anti join contested on candidates.cart_id = contested.cart_id

)

select * from final
