{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'person': 'person_id'}},
) }}

{% set steps = range(1, 9) %}

with steps_taken as (

    select * from {{ ref('int_funnel_steps_taken') }}
    where {{ touched('person', 'person_id') }}

),

funnel_events as (

    select * from {{ ref('int_funnel_events') }}
    where {{ touched('person', 'person_id') }}

),

entries as (

    select
        funnel_name,
        person_id,
        {% for step in steps -%}
        max(
            case when step_number = {{ step }} then reached_at end
        ) as step_{{ step }}_at,
        {% endfor -%}
        max(step_number) as furthest_step
    from steps_taken
    group by funnel_name, person_id, entry_number

),

-- of first steps at one time in several sessions, the smallest names the session
sessions as (

    select
        entries.funnel_name,
        entries.person_id,
        entries.step_1_at,
        min(funnel_events.session_id) as session_id
    from entries
    inner join funnel_events
        on
            entries.funnel_name = funnel_events.funnel_name
            and entries.person_id = funnel_events.person_id
            and entries.step_1_at = funnel_events.occurred_at
            and funnel_events.step_number = 1
    group by all

),

-- later steps in any order: the entries stand among them
moments as (

    select
        funnel_name,
        person_id,
        step_number,
        occurred_at
    from funnel_events
    where step_number > 1
    union all
    select
        funnel_name,
        person_id,
        1 as step_number,
        step_1_at as occurred_at
    from entries

),

followed as (

    select
        funnel_name,
        person_id,
        step_number,
        {% for step in steps if step > 1 -%}
        min(case when step_number = {{ step }} then occurred_at end)
            over from_here_on as next_{{ step }}_at,
        {% endfor -%}
        occurred_at
    from moments
    window from_here_on as (
        partition by funnel_name, person_id
        order by occurred_at
        range between current row and unbounded following
    )

),

final as (

    select
        entries.*,
        {% for step in steps if step > 1 -%}
        followed.next_{{ step }}_at,
        {% endfor -%}
        sessions.session_id
    from entries
    inner join sessions
        on
            entries.funnel_name = sessions.funnel_name
            and entries.person_id = sessions.person_id
            and entries.step_1_at = sessions.step_1_at
    inner join followed
        on
            entries.funnel_name = followed.funnel_name
            and entries.person_id = followed.person_id
            and entries.step_1_at = followed.occurred_at
            and followed.step_number = 1

)

select * from final
