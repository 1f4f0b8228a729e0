{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'told_cart': 'cart_id', 'returner': 'person_id'}},
    pre_hook=[
        "{{ touch('told_cart', this, 'cart_id', time_passes_for_cart()) }}",
        "{{ touch('told_cart', this, 'cart_id', touched('order', 'order_id')) }}",
        "{{ touch('told_cart', this, 'cart_id', 'order_id in (select order_id from ' ~ ref(
            'int_orders_placed'
        ) ~ ' where ' ~ touched('returner', 'person_id') ~ ')') }}",
    ],
) }}

{% set checkout_steps = [
    'checkout_started', 'shipping_entered', 'payment_info_entered'
] %}

with told as (

    select * from {{ ref('int_carts_told') }}
    where
        {{ touched('told_cart', 'cart_id') }} or {{ touched('returner', 'person_id') }}
    union all
    select * from {{ ref('int_carts_plain') }}
    where
        {{ touched('told_cart', 'cart_id') }} or {{ touched('returner', 'person_id') }}

),

orders as (

    select
        order_id,
        person_id as buyer_id,
        sales_channel
    from {{ ref('int_orders_placed') }}

),

touches as (

    select * from {{ ref('int_channel_touches') }}

),

settings as (

    select * from {{ ref('int_settings') }}

),

-- silence that is yet to come has abandoned nothing; an order may be another's
carts as (

    select
        told.*,
        orders.sales_channel,
        coalesce(orders.buyer_id, told.person_id) as buyer_id,
        case
            when told.abandoned_at <= settings.as_of then told.abandoned_at
        end as known_abandoned_at,
        coalesce(
            told.ordered_at
            <= told.abandoned_at + interval '{{ var('cart_recovery_days') }}' day,
            false
        ) as is_recovered,
        settings.as_of
    from told
    left join orders on told.order_id = orders.order_id
    cross join settings

),

-- the last touch of the buyer between the abandonment and the order
returns as (

    select
        carts.cart_id,
        max_by(
            touches.channel_group, row(touches.occurred_at, touches.touch_key)
        ) as channel_group,
        max_by(
            coalesce(touches.campaign_id, ''),
            row(touches.occurred_at, touches.touch_key)
        ) as campaign_id
    from carts
    inner join touches
        on
            carts.buyer_id = touches.person_id
            and carts.abandoned_at <= touches.occurred_at
            and carts.ordered_at >= touches.occurred_at
    where carts.is_recovered and carts.sales_channel = 'online'
    group by carts.cart_id

),

final as (

    select
        carts.cart_id,
        carts.person_id,
        carts.created_at,
        carts.last_activity_at,
        cast(carts.item_count as decimal(18, 2)) as item_count,
        case
            when carts.cart_value < 1e12 then {{ to_cents('carts.cart_value') }}
        end as cart_value,
        carts.checkout_started_at,
        case carts.furthest_checkout_step
            {% for step in checkout_steps -%}
            when {{ loop.index }} then '{{ step }}'
            {% endfor -%}
        end as furthest_checkout_step,
        case
            when carts.is_recovered then 'recovered'
            when carts.order_id is not null then 'ordered'
            when carts.is_emptied then 'emptied'
            when carts.known_abandoned_at is not null then 'abandoned'
            else 'open'
        end as outcome,
        carts.known_abandoned_at as abandoned_at,
        case when carts.is_recovered then carts.ordered_at end as recovered_at,
        case
            when carts.is_recovered
                then
                    coalesce(
                        nullif(carts.sales_channel, 'online'), returns.channel_group
                    )
        end as recovered_by_channel,
        nullif(returns.campaign_id, '') as recovered_by_campaign_id,
        carts.order_id,
        carts.session_count,
        carts.device_count,
        coalesce(
            carts.known_abandoned_at
            + interval '{{ var('cart_recovery_days') }}' day <= carts.as_of,
            carts.order_id is not null or carts.is_emptied
        ) as is_mature
    from carts
    left join returns on carts.cart_id = returns.cart_id

)

select * from final
