-- Which micro-conversion makes the largest difference to what a journey is expected to
-- bring, in lifetime value? By state_value_clv, with what it is in margin, how often it
-- happens, and what all its occurrences come to for a thousand sessions. Small samples
-- are left out, and so is what may as well be worth nothing (the interval holds 0).
-- This goes along with them; it is not what they cause, and values do not add up.
with micro_conversions as (

    select * from {{ ref('fct_micro_conversion_value') }}
    where segment_name = 'all' and sample_is_sufficient

),

stages as (

    select
        micro_conversion,
        stage,
        polarity
    from {{ ref('micro_conversions') }}

),

certain as (

    select *
    from micro_conversions
    where state_value_clv_low > 0 or state_value_clv_high < 0

),

final as (

    select
        certain.micro_conversion,
        stages.stage,
        stages.polarity,
        certain.session_count,
        certain.reach_rate,
        certain.state_value_clv,
        certain.state_value_clv_low,
        certain.state_value_clv_high,
        certain.state_value_margin,
        1000 * certain.reach_rate * certain.state_value_clv as value_per_1000_sessions,
        certain.adjusted_lift
    from certain
    inner join stages on certain.micro_conversion = stages.micro_conversion

)

select * from final
order by state_value_clv desc, micro_conversion asc
