{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'person': 'person_id'}},
    post_hook="{{ insert_other_buckets(ref('int_funnel_events')) }}",
) }}

{% set is_taken %}
    case
        when element.reached_at <= kept[-1].closes_at
            then
                element.step_number = kept[-1].step_number + 1
                and coalesce(
                    element.event_id not in (
                        kept[-1].event_id, kept[-2].event_id, kept[-3].event_id,
                        kept[-4].event_id, kept[-5].event_id, kept[-6].event_id,
                        kept[-7].event_id
                    ),
                    true
                )
        else
            element.step_number = 1
            and coalesce(element.reached_at > kept[-1].reached_at, true)
    end
{% endset %}

with steps as (

    select
        *,
        lead(window_hours) over (
            partition by funnel_name order by step_number
        ) as next_window_hours,
        count(*) over (partition by funnel_name, event_name) > 1 as shares_events
    from {{ ref('int_funnel_rules') }}

),

events as (

    select * from {{ ref('int_funnel_events') }}
    where
        {{ touched('person', 'person_id') }}
        and {{ is_in_bucket(ref('int_funnel_events'), 'person_id') }}

),

-- each step with the time until which an entry that takes it stays open, and its event
-- where several steps could take that
possible_steps as (

    select
        events.funnel_name,
        events.person_id,
        events.occurred_at as reached_at,
        events.step_number,
        events.occurred_at
        + interval '1' second * (steps.next_window_hours * 3600) as closes_at,
        case when steps.shares_events then events.event_id end as event_id
    from events
    inner join steps
        on
            events.funnel_name = steps.funnel_name
            and events.step_number = steps.step_number

),

-- equal times stand in the order of steps
histories as (

    select
        funnel_name,
        person_id,
        {{ sorted_list(
            record_of(['reached_at', 'step_number', 'closes_at', 'event_id'])
        ) }} as history
    from possible_steps
    group by all

),

-- an open entry takes the step that is next, by an event that took none of the at most
-- seven before; where none is open, a first step opens one
taken as (

    select
        funnel_name,
        person_id,
        -- the linter does not know a lambda of two parameters
        {{ kept_elements('history', is_taken) }} as history  -- noqa: PRS
    from histories

),

listed as (

    {{ unnested('taken', ['funnel_name', 'person_id'], 'history', 'step') }}

),

final as (

    select
        listed.funnel_name,
        listed.person_id,
        count(*) filter (where listed.step.step_number = 1) over (
            partition by listed.funnel_name, listed.person_id
            order by listed.step.reached_at, listed.step.step_number
        ) as entry_number,
        listed.step.step_number,
        listed.step.reached_at
    from listed

)

select * from final
