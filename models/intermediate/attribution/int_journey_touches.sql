{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {
        'returner': 'person_id', 'contacted': 'person_id', 'shopper': 'person_id', 'traveller': 'person_id'
    }, 'emits': {'journey': 'order_id'}},
    pre_hook="{{ touch('traveller', ref('int_orders_placed'), 'person_id', touched('order', 'order_id')) }}",
) }}

{% set is_touched = touched(
    ['returner', 'contacted', 'shopper', 'traveller'], 'person_id'
) %}

with kinds as (

    select touch_kind
    from {{ ref('touch_kinds') }}
    where is_attributable

),

orders as (

    select
        person_id,
        order_id,
        ordered_at,
        sales_channel,
        lag(ordered_at) over person_history as previous_ordered_at,
        row_number() over person_history as leg_number
    from {{ ref('int_orders_placed') }}
    where person_id is not null and {{ is_touched }}
    window person_history as (partition by person_id order by ordered_at, order_id)

),

deliveries as (

    select * from {{ ref('stg_storefront__deliveries') }}
    where row_bucket = 'staged' and delivered_at is not null

),

-- what has no channel is one of its own
all_touches as (

    select
        touch_kind,
        touch_key,
        person_id,
        occurred_at,
        channel_group
    from {{ ref('int_channel_touches') }}
    where {{ is_touched }}
    union all
    select
        touch_kind,
        touch_key,
        person_id,
        occurred_at,
        case when touch_kind = 'email_open' then 'email' else touch_kind end
            as channel_group
    from {{ ref('int_contacts') }}
    where touch_kind <> 'email_click' and {{ is_touched }}
    union all
    select
        touch_kind,
        session_id as touch_key,
        person_id,
        occurred_at,
        touch_kind as channel_group
    from {{ ref('int_session_touches') }}
    where {{ is_touched }}
    union all
    select
        'store_order' as touch_kind,
        order_id as touch_key,
        person_id,
        ordered_at as occurred_at,
        'store_order' as channel_group
    from orders
    where sales_channel = 'store'
    union all
    select
        'delivery' as touch_kind,
        deliveries.delivery_id as touch_key,
        orders.person_id,
        deliveries.delivered_at as occurred_at,
        'delivery' as channel_group
    from deliveries
    inner join orders on deliveries.order_id = orders.order_id

),

touches as (

    select all_touches.*
    from all_touches
    semi join kinds on all_touches.touch_kind = kinds.touch_kind

),

{{ placed_touches('touches', 'orders') }},

-- an order looks back so many days, and never behind the order before it
looked_back as (

    select
        placed_touches.touch_kind || ':' || placed_touches.touch_key as touch,
        placed_touches.person_id,
        placed_touches.channel_group,
        placed_touches.occurred_at,
        placed_legs.order_id,
        placed_legs.ordered_at
    from placed_touches
    left join placed_legs
        on
            placed_touches.person_id = placed_legs.person_id
            and placed_touches.leg_key = placed_legs.leg_key
            and placed_touches.occurred_at
            > coalesce(
                placed_legs.previous_ordered_at, timestamp '0001-01-01'
            )
            and placed_touches.occurred_at <= placed_legs.ordered_at
            and placed_touches.occurred_at
            + interval '{{ var('attribution_lookback_days') }}' day
            >= placed_legs.ordered_at

),

-- what no order looks back to has failed; a silence as long ends such a journey
parted as (

    select
        *,
        case
            when
                order_id is null
                and occurred_at <= lag(occurred_at) over failed_history
                + interval '{{ var('attribution_lookback_days') }}' day
                then 0
            else 1
        end as is_first
    from looked_back
    window
        failed_history as (
            partition by person_id, order_id order by occurred_at, touch
        )

),

numbered as (

    select
        *,
        case
            when order_id is null
                then
                    sum(is_first) over (
                        partition by person_id, order_id
                        order by occurred_at, touch
                        rows between unbounded preceding and current row
                    )
        end as failed_number
    from parted

),

final as (

    select
        {{ hashed_id('touch') }} as touchpoint_id,
        person_id,
        channel_group,
        occurred_at,
        order_id,
        ordered_at,
        failed_number,
        row_number() over journey_history as touch_number,
        count(*) over journey as touch_count,
        coalesce(
            ordered_at,
            max(occurred_at) over journey
            + interval '{{ var('attribution_lookback_days') }}' day
        ) as ended_at
    from numbered
    window
        journey as (partition by person_id, order_id, failed_number),
        journey_history as (
            partition by person_id, order_id, failed_number
            order by occurred_at, touch
        )

)

select * from final
