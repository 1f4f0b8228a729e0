with effects as (

    select * from {{ ref('int_channel_effects') }}

),

touches as (

    select * from {{ ref('int_journey_touches') }}

),

settings as (

    select * from {{ ref('int_settings') }}

),

journeys as (

    select
        {{ month_of(reporting_date('touches.ended_at')) }} as period_month,
        touches.channel_group,
        touches.person_id,
        touches.order_id,
        touches.failed_number
    from touches
    cross join settings
    where touches.ended_at <= settings.as_of
    group by all

),

counted as (

    select
        period_month,
        channel_group,
        count(*) as journeys,
        count(order_id) as conversions
    from journeys
    group by all

),

final as (

    select
        cast(effects.period_month as date) as period_month,
        effects.channel_group,
        cast(effects.removal_effect as double) as removal_effect,
        cast(effects.share as double) as share,
        cast(coalesce(counted.journeys, 0) as integer) as journeys,
        cast(coalesce(counted.conversions, 0) as integer) as conversions,
        cast(effects.first_month as date) as first_month_read
    from effects
    left join counted
        on
            effects.period_month = counted.period_month
            and effects.channel_group = counted.channel_group

)

select * from final
