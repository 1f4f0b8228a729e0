-- How does NPS move, and is the move more than chance? Whole and by what the surveys
-- follow: a month with more post_support surveys has a lower score although nothing
-- changed. The margin of a change follows from both months' intervals, so months of few
-- answers claim little.
with scores as (

    select * from {{ ref('agg_nps') }}
    where segment_name in ('all', 'survey_trigger') and responses > 0

),

compared as (

    select
        *,
        nps - lag(nps) over months as nps_change,
        (nps_high - nps_low) / 2 as margin,
        lag((nps_high - nps_low) / 2) over months as previous_margin
    from scores
    window months as (
        partition by segment_name, segment_value
        order by period_month
    )

),

measured as (

    select
        *,
        sqrt(margin * margin + previous_margin * previous_margin) as change_margin
    from compared

),

final as (

    select
        segment_value as survey_trigger,
        period_month,
        responses,
        response_rate,
        nps,
        nps_low,
        nps_high,
        nps_change,
        change_margin,
        abs(nps_change) > change_margin as is_more_than_chance
    from measured

)

select * from final
order by survey_trigger, period_month
