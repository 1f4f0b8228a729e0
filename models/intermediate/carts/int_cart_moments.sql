{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'shopper': 'shopper_id'}, 'emits': {'walk': 'shopper_id'}},
    pre_hook="{{ touch('shopper', this, 'shopper_id', touched('cart', 'cart_id')) }}",
) }}

with plain_carts as (

    select cart_id from {{ ref('int_carts_plain') }}

),

all_cart_events as (

    select * from {{ ref('int_cart_events') }}

),

cart_events as (

    select all_cart_events.*
    from all_cart_events
    anti join plain_carts on all_cart_events.cart_id = plain_carts.cart_id

),

orders as (

    select * from {{ ref('int_orders_placed') }}

),

reminders as (

    select * from {{ ref('int_cart_reminders') }}
    where {{ touched('shopper', 'person_id') }}

),

named_adds as (

    select
        cart_id,
        person_id,
        occurred_at,
        event_id
    from cart_events
    where moment = 'add' and cart_id is not null

),

filled_carts as (

    select cart_id
    from named_adds
    where {{ touched('shopper', 'person_id') }}
    group by cart_id

),

fillers as (

    select
        named_adds.cart_id,
        min_by(
            named_adds.person_id, row(named_adds.occurred_at, named_adds.event_id)
        ) as shopper_id
    from named_adds
    semi join filled_carts on named_adds.cart_id = filled_carts.cart_id
    group by named_adds.cart_id

),

owners as (

    select * from fillers
    where {{ touched('shopper', 'shopper_id') }}

),

-- a named cart is that of who filled it first, whoever else looks at it
shown_events as (

    select
        cart_events.*,
        coalesce(owners.shopper_id, cart_events.person_id) as shopper_id
    from cart_events
    left join owners on cart_events.cart_id = owners.cart_id
    where
        owners.shopper_id is not null
        or (
            cart_events.cart_id is null
            and {{ touched('shopper', 'cart_events.person_id') }}
        )

),

-- so is an order that names a cart; a name that nobody filled says nothing
shown_orders as (

    select
        orders.order_id,
        orders.person_id,
        orders.ordered_at,
        orders.cart_id,
        owners.shopper_id
    from orders
    inner join owners on orders.cart_id = owners.cart_id
    union all
    select
        orders.order_id,
        orders.person_id,
        orders.ordered_at,
        null as cart_id,
        orders.person_id as shopper_id
    from orders
    anti join named_adds on orders.cart_id = named_adds.cart_id
    anti join plain_carts on orders.cart_id = plain_carts.cart_id
    where {{ touched('shopper', 'orders.person_id') }}

),

happenings as (

    select
        shopper_id,
        person_id,
        occurred_at,
        1 as place_at_a_time,
        moment,
        event_id as moment_id,
        cart_id,
        checkout_step,
        product_id,
        quantity,
        unit_price,
        session_id,
        anonymous_id
    from shown_events
    union all
    select
        person_id as shopper_id,
        person_id,
        occurred_at,
        2 as place_at_a_time,
        'reminder' as moment,
        email_event_id as moment_id,
        null as cart_id,
        null as checkout_step,
        null as product_id,
        null as quantity,
        null as unit_price,
        null as session_id,
        null as anonymous_id
    from reminders
    union all
    select
        shopper_id,
        person_id,
        ordered_at as occurred_at,
        3 as place_at_a_time,
        'order' as moment,
        order_id as moment_id,
        cart_id,
        null as checkout_step,
        null as product_id,
        null as quantity,
        null as unit_price,
        null as session_id,
        null as anonymous_id
    from shown_orders

),

shoppers as (

    select shopper_id
    from shown_events
    where moment = 'add'
    group by shopper_id

),

final as (

    select happenings.*
    from happenings
    semi join shoppers on happenings.shopper_id = shoppers.shopper_id

)

select * from final
