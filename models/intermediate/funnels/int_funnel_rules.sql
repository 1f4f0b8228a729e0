{{ config(materialized='view') }}

with steps as (

    select * from {{ ref('funnel_steps') }}

),

micro_conversions as (

    select * from {{ ref('micro_conversions') }}

),

-- a micro-conversion's condition and the step's own both hold; the name of an event
-- means the event, though a micro-conversion may be called like it
final as (

    select
        steps.funnel_name,
        steps.step_number,
        steps.window_hours,
        coalesce(micro_conversions.event_name, steps.event_name) as event_name,
        nullif(
            concat_ws(' and ', micro_conversions.filter, steps.filter), ''
        ) as filter
    from steps
    left join micro_conversions
        on
            steps.event_name = micro_conversions.micro_conversion
            and micro_conversions.micro_conversion <> micro_conversions.event_name

)

select * from final
