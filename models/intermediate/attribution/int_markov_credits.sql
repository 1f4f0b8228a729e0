with touches as (

    select * from {{ ref('int_order_credits') }}

),

effects as (

    select * from {{ ref('int_channel_effects') }}

),

weighed as (

    select
        touches.order_id,
        touches.touchpoint_id,
        touches.channel_group,
        touches.touch_number,
        touches.touch_count,
        touches.order_month,
        touches.order_count,
        touches.order_sales,
        touches.order_revenue,
        touches.order_margin,
        effects.removal_effect / touches.channel_touches as weight
    from touches
    inner join effects
        on
            touches.order_month = effects.period_month
            and touches.channel_group = effects.channel_group

),

journeys as (

    select
        order_id,
        sum(weight) as weight
    from weighed
    group by order_id

),

credited as (

    select
        weighed.*,
        coalesce(
            weighed.weight / nullif(journeys.weight, 0),
            cast(1 as double) / weighed.touch_count
        ) as markov_credit
    from weighed
    inner join journeys on weighed.order_id = journeys.order_id

),

{{ shared_amounts('credited', ['markov']) }},

final as (

    select
        order_id,
        touchpoint_id,
        channel_group,
        order_month,
        order_count,
        order_sales,
        order_margin,
        markov_credit,
        markov_revenue,
        markov_margin
    from shared

)

select * from final
