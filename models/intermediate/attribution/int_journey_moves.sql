with touches as (

    select * from {{ ref('int_journey_touches') }}

),

settings as (

    select * from {{ ref('int_settings') }}

),

-- a journey without an order has failed when its time for one is over
ended as (

    select
        touches.person_id,
        touches.order_id,
        touches.failed_number,
        touches.touch_number,
        touches.touch_count,
        touches.channel_group,
        {{ month_of(reporting_date('touches.ended_at')) }} as period_month,
        lag(touches.channel_group) over (
            partition by touches.person_id, touches.order_id, touches.failed_number
            order by touches.touch_number
        ) as previous_channel
    from touches
    cross join settings
    where touches.ended_at <= settings.as_of

),

moves as (

    select
        period_month,
        coalesce(previous_channel, '(start)') as from_state,
        channel_group as to_state
    from ended
    union all
    select
        period_month,
        channel_group as from_state,
        case
            when order_id is null then '(null)'
            else '(conversion)'
        end as to_state
    from ended
    where touch_number = touch_count

),

final as (

    select
        period_month,
        from_state,
        to_state,
        count(*) as moves
    from moves
    group by all

)

select * from final
