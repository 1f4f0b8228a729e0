-- read once, by the model that walks through them
{{ config(materialized='view') }}

with steps as (

    select
        funnel_name,
        step_number,
        count(*) over (partition by funnel_name, event_name) > 1 as shares_events
    from {{ ref('int_funnel_rules') }}

),

events as (

    select * from {{ ref('int_funnel_events') }}

),

final as (

    select
        events.funnel_name,
        events.person_id,
        {{ text_as_number('events.person_id') }} as person_key,
        events.occurred_at,
        events.step_number,
        case when steps.shares_events then events.event_id end as event_id,
        events.session_id
    from events
    inner join steps
        on
            events.funnel_name = steps.funnel_name
            and events.step_number = steps.step_number

)

select * from final
