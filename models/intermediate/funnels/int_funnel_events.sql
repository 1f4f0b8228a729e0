-- read once, by the model that walks through them
{{ config(materialized='view') }}

with steps as (

    select * from {{ ref('int_funnel_rules') }}

),

sessionised as (

    select
        event_id,
        session_id,
        occurred_at,
        event_name
    from {{ ref('int_events_sessionised') }}

),

sessions as (

    select * from {{ ref('int_sessions_owned') }}

),

{{ refused_events('steps', ['funnel_name', 'step_number'], ref('stg_web__events')) }},

candidates as (

    select
        steps.funnel_name,
        steps.step_number,
        sessionised.event_id,
        sessionised.session_id,
        sessionised.occurred_at
    from sessionised
    inner join steps on sessionised.event_name = steps.event_name

),

final as (

    select
        candidates.funnel_name,
        candidates.step_number,
        candidates.event_id,
        candidates.session_id,
        sessions.person_id,
        candidates.occurred_at
    from candidates
    inner join sessions on candidates.session_id = sessions.session_id
    anti join refused
        on
            candidates.event_id = refused.event_id
            and candidates.funnel_name = refused.funnel_name
            and candidates.step_number = refused.step_number

)

select * from final
