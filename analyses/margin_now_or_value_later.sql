-- Which micro-conversions are worth more for what is bought now, and which for who
-- comes back? Ranks by margin and by lifetime value, side by side, and the share of the
-- value that comes later. Where the rank by margin is the better one, those who do it
-- buy well once; where the rank by lifetime value is, they become customers. One rank
-- more says little: look at whether the intervals of neighbours overlap.
with micro_conversions as (

    select * from {{ ref('fct_micro_conversion_value') }}
    where
        segment_name = 'all'
        and sample_is_sufficient
        and state_value_clv is not null

),

ranked as (

    select
        micro_conversion,
        session_count,
        state_value_margin,
        state_value_clv,
        rank() over (order by state_value_margin desc) as rank_by_margin,
        rank() over (order by state_value_clv desc) as rank_by_clv,
        state_value_margin_low > 0 or state_value_margin_high < 0 as is_margin_certain,
        state_value_clv_low > 0 or state_value_clv_high < 0 as is_clv_certain
    from micro_conversions

),

final as (

    select
        micro_conversion,
        session_count,
        rank_by_margin,
        rank_by_clv,
        rank_by_margin - rank_by_clv as ranks_gained_by_clv,
        state_value_margin,
        state_value_clv,
        -- a share of a value that may be 0 says nothing
        case
            when is_clv_certain
                then (state_value_clv - state_value_margin) / state_value_clv
        end as later_value_share,
        case
            when is_margin_certain and is_clv_certain then 'both'
            when is_margin_certain then 'margin alone'
            when is_clv_certain then 'lifetime value alone'
            else 'neither'
        end as worth_something_in
    from ranked

)

select * from final
order by rank_by_clv asc, micro_conversion asc
