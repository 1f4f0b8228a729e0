-- Which step of a funnel loses most? Naive counts every entry, so those that are still
-- on their way count as lost; mature counts the entries that nothing can follow any
-- more. Compare funnels and steps by the mature figures; where the naive ones differ
-- much, most of the loss is youth.
with steps as (

    select
        funnel_name,
        step_number,
        step_name,
        sum(entered) as entered,
        sum(entered_mature) as entered_mature,
        sum(reached) as reached,
        sum(reached_mature) as reached_mature
    from {{ ref('agg_funnel_daily') }}
    group by all

),

compared as (

    select
        *,
        lag(step_name) over funnel as previous_step_name,
        lag(reached) over funnel as came,
        lag(reached_mature) over funnel as came_mature
    from steps
    window funnel as (partition by funnel_name order by step_number)

),

losses as (

    select
        *,
        came - reached as lost,
        came_mature - reached_mature as lost_mature
    from compared
    where step_number > 1

),

final as (

    select
        funnel_name,
        step_number,
        previous_step_name || ' > ' || step_name as passage,
        came,
        came_mature,
        lost,
        lost_mature,
        lost / nullif(cast(came as double), 0) as loss_rate_naive,
        lost_mature / nullif(cast(came_mature as double), 0) as loss_rate_mature,
        lost / nullif(cast(entered as double), 0) as share_of_entries_naive,
        lost_mature
        / nullif(cast(entered_mature as double), 0) as share_of_entries_mature,
        lost_mature > 0
        and row_number() over (
            partition by funnel_name
            order by lost_mature desc, step_number asc
        ) = 1 as is_greatest_loss
    from losses

)

select * from final
order by funnel_name, step_number
