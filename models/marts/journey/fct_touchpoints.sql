{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {
        'returner': 'person_id', 'contacted': 'person_id', 'shopper': 'person_id', 'traveller': 'person_id'
    }},
    pre_hook=[
        "{{ touch('traveller', ref('int_orders_placed'), 'person_id', touched('order', 'order_id')) }}",
        "{{ touch('traveller', this, 'person_id', touched('session', 'session_id')) }}",
    ],
) }}

{% set is_touched = touched(
    ['returner', 'contacted', 'shopper', 'traveller'], 'person_id'
) %}

with kinds as (

    select * from {{ ref('touch_kinds') }}

),

legs as (

    select * from {{ ref('int_journey_legs') }}
    where {{ is_touched }}

),

orders as (

    select * from {{ ref('int_orders_placed') }}
    where person_id is not null and {{ is_touched }}

),

deliveries as (

    select * from {{ ref('stg_storefront__deliveries') }}
    where row_bucket = 'staged' and delivered_at is not null

),

session_orders as (

    select
        session_id,
        order_id
    from {{ ref('int_session_orders') }}

),

touches as (

    select
        touch_kind,
        touch_key,
        person_id,
        occurred_at,
        channel_group,
        campaign,
        session_id,
        cast(null as varchar) as order_id
    from {{ ref('int_channel_touches') }}
    where {{ is_touched }}
    union all
    select
        touch_kind,
        touch_key,
        person_id,
        occurred_at,
        case when touch_kind = 'email_open' then 'email' end as channel_group,
        campaign,
        null as session_id,
        order_id
    from {{ ref('int_contacts') }}
    where touch_kind <> 'email_click' and {{ is_touched }}
    union all
    select
        touch_kind,
        session_id as touch_key,
        person_id,
        occurred_at,
        null as channel_group,
        null as campaign,
        session_id,
        null as order_id
    from {{ ref('int_session_touches') }}
    where {{ is_touched }}
    union all
    select
        'store_order' as touch_kind,
        order_id as touch_key,
        person_id,
        ordered_at as occurred_at,
        null as channel_group,
        null as campaign,
        null as session_id,
        order_id
    from orders
    where sales_channel = 'store'
    union all
    select
        'delivery' as touch_kind,
        deliveries.delivery_id as touch_key,
        orders.person_id,
        deliveries.delivered_at as occurred_at,
        null as channel_group,
        null as campaign,
        null as session_id,
        deliveries.order_id
    from deliveries
    inner join orders on deliveries.order_id = orders.order_id

),

{{ placed_touches('touches', 'legs') }},

-- purchase wins over what is before one, that over what is after one
final as (

    select
        {{ hashed_id(
            "placed_touches.touch_kind || ':' || placed_touches.touch_key"
        ) }} as touchpoint_id,
        placed_touches.person_id,
        placed_touches.occurred_at,
        placed_touches.touch_kind,
        kinds.is_attributable,
        coalesce(
            placed_touches.channel_group,
            case when kinds.is_attributable then placed_touches.touch_kind end
        ) as channel_group,
        placed_touches.campaign,
        case
            when
                placed_touches.occurred_at >= placed_legs.checkout_started_at
                or placed_touches.occurred_at = placed_legs.ordered_at
                then 'purchase'
            when
                placed_legs.previous_ordered_at is null
                or placed_touches.occurred_at >= placed_legs.first_interest_at
                then 'pre_purchase'
            when
                placed_touches.occurred_at
                <= placed_legs.previous_ordered_at
                + interval '{{ var('post_purchase_days') }}' day
                then 'post_purchase'
        end as journey_stage,
        placed_touches.session_id,
        coalesce(placed_touches.order_id, session_orders.order_id) as order_id
    from placed_touches
    inner join kinds on placed_touches.touch_kind = kinds.touch_kind
    left join placed_legs
        on
            placed_touches.person_id = placed_legs.person_id
            and placed_touches.leg_key = placed_legs.leg_key
            and placed_touches.occurred_at
            > coalesce(
                placed_legs.previous_ordered_at, timestamp '0001-01-01'
            )
            and placed_touches.occurred_at
            <= coalesce(placed_legs.ordered_at, timestamp '9999-12-31')
    left join session_orders on placed_touches.session_id = session_orders.session_id

)

select * from final
