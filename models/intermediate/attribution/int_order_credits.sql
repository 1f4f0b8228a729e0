{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'order': 'order_id', 'journey': 'order_id'}},
) }}

{% set is_touched = touched(['order', 'journey'], 'order_id') %}
{% set models = ['linear', 'position_based', 'time_decay', 'shapley'] %}

with touches as (

    select * from {{ ref('int_journey_touches') }}
    where order_id is not null and {{ is_touched }}

),

orders as (

    select * from {{ ref('int_orders_netted') }}
    where {{ is_touched }}

),

costs as (

    select * from {{ ref('int_orders_costed') }}
    where {{ is_touched }}

),

-- a cancelled order is credited with nothing
money as (

    select
        orders.order_id,
        {{ month_of('orders.order_date') }} as order_month,
        case when orders.is_cancelled then 0 else 1 end as order_count,
        case when orders.is_cancelled then 0 else orders.net_sales end as order_sales,
        case
            when orders.is_cancelled then 0 else orders.net_revenue
        end as order_revenue,
        case
            when orders.is_cancelled then 0
            else
                orders.net_revenue - costs.cost_of_goods
                - orders.payment_fee - orders.fulfilment_cost
        end as order_margin
    from orders
    inner join costs on orders.order_id = costs.order_id

),

-- halved every seven days before the order; what is all but gone never is nothing
weighed as (

    select
        *,
        greatest(
            power(
                0.5,
                {{ seconds_between('occurred_at', 'ordered_at') }}
                / (86400.0 * {{ var('time_decay_half_life_days') }})
            ),
            1e-300
        ) as decay
    from touches

),

channels as (

    select
        order_id,
        channel_group,
        count(*) as channel_touches
    from touches
    group by all

),

journeys as (

    select
        order_id,
        sum(decay) as decay,
        max(
            case when channel_group <> 'direct' then touch_number end
        ) as last_number_not_direct,
        count(distinct channel_group) as channel_count
    from weighed
    group by order_id

),

credited as (

    select
        weighed.order_id,
        weighed.touchpoint_id,
        weighed.channel_group,
        weighed.touch_number,
        weighed.touch_count,
        channels.channel_touches,
        money.order_month,
        money.order_count,
        money.order_sales,
        money.order_revenue,
        money.order_margin,
        case when weighed.touch_number = 1 then 1 else 0 end as first_touch_credit,
        case
            when weighed.touch_number = weighed.touch_count then 1 else 0
        end as last_touch_credit,
        case
            when
                weighed.touch_number
                = coalesce(journeys.last_number_not_direct, weighed.touch_count)
                then 1
            else 0
        end as last_non_direct_credit,
        cast(1 as double) / weighed.touch_count as linear_credit,
        case
            when weighed.touch_count <= 2 then cast(1 as double) / weighed.touch_count
            when weighed.touch_number in (1, weighed.touch_count)
                then {{ var('position_based_end_share') }}
            else
                (1 - 2 * {{ var('position_based_end_share') }})
                / (weighed.touch_count - 2)
        end as position_based_credit,
        weighed.decay / journeys.decay as time_decay_credit,
        cast(1 as double)
        / (journeys.channel_count * channels.channel_touches) as shapley_credit
    from weighed
    inner join journeys on weighed.order_id = journeys.order_id
    inner join channels
        on
            weighed.order_id = channels.order_id
            and weighed.channel_group = channels.channel_group
    inner join money on weighed.order_id = money.order_id

),

{{ shared_amounts('credited', models) }},

final as (

    select
        order_id,
        touchpoint_id,
        channel_group,
        touch_number,
        touch_count,
        channel_touches,
        order_count,
        order_sales,
        order_revenue,
        order_margin,
        {% for model in ['first_touch', 'last_touch', 'last_non_direct'] -%}
        cast({{ model }}_credit as double) as {{ model }}_credit,
        order_revenue * {{ model }}_credit as {{ model }}_revenue,
        order_margin * {{ model }}_credit as {{ model }}_margin,
        {% endfor -%}
        {% for model in models -%}
        cast({{ model }}_credit as double) as {{ model }}_credit,
        {{ model }}_revenue,
        {{ model }}_margin,
        {% endfor -%}
        order_month
    from shared

)

select * from final
