-- How does NPS move, and which moves are more than chance? Whole, and by what the
-- surveys follow: a month with more post_support surveys has a lower score although
-- nothing changed. A move is clear where the intervals of two months do not overlap;
-- that is cautious, and months of few answers claim nothing.
with scores as (

    select * from {{ ref('agg_nps') }}
    where segment_name in ('all', 'survey_trigger') and responses > 0

),

compared as (

    select
        *,
        lag(nps) over months as previous_nps,
        lag(nps_low) over months as previous_low,
        lag(nps_high) over months as previous_high
    from scores
    window months as (
        partition by segment_name, segment_value
        order by period_month
    )

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
        nps - previous_nps as nps_change,
        nps_low > previous_high or nps_high < previous_low as is_clear_move
    from compared

)

select * from final
order by survey_trigger, period_month
