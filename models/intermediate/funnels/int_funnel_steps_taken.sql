{% set is_taken %}
    case
        when
            kept[-1] % 16 < funnels.step_count
            and element // 16
            <= kept[-1] // 16 + funnels.windows[cast(kept[-1] % 16 as integer) + 1]
            then element % 16 = kept[-1] % 16 + 1
        else element % 16 = 1 and coalesce(element > kept[-1], true)
    end
{% endset %}

with steps as (

    select * from {{ ref('funnel_steps') }}

),

funnels as (

    select
        funnel_name,
        max(step_number) as step_count,
        {{ list_by(
            'cast(coalesce(window_hours, 0) * 3600000000 as bigint)', 'step_number'
        ) }} as windows
    from steps
    group by funnel_name

),

-- a moment is a time in microseconds and a step in one number: one sort puts them in
-- order, equal times in the order of steps
histories as (

    select
        funnel_name,
        person_id,
        {{ sorted_list(
            epoch_microseconds('occurred_at') ~ ' * 16 + step_number'
        ) }} as moments
    from {{ ref('int_funnel_events') }}
    group by all

),

-- an entry is open while the window after its latest step runs; it takes the step that
-- is next, and only where none is open a first step opens one
taken as (

    select
        histories.funnel_name,
        histories.person_id,
        -- the linter does not know a lambda of two parameters
        {{ kept_elements('histories.moments', is_taken) }} as moments  -- noqa: PRS
    from histories
    inner join funnels on histories.funnel_name = funnels.funnel_name

),

listed as (

    {{ unnested('taken', ['funnel_name', 'person_id'], 'moments', 'moment') }}

),

final as (

    select
        funnel_name,
        person_id,
        count(*) filter (where moment % 16 = 1) over (
            partition by funnel_name, person_id
            order by moment
        ) as entry_number,
        cast(moment % 16 as integer) as step_number,
        {{ from_epoch_microseconds('moment // 16') }} as reached_at
    from listed

)

select * from final
