-- read once, by the model that values what is in it
{{ config(materialized='view') }}

with owned as (

    select * from {{ ref('int_sessions_owned') }}

),

rules as (

    select
        *,
        row_number() over (order by micro_conversion) - 1 as step_number
    from {{ ref('micro_conversions') }}

),

session_steps as (

    select * from {{ ref('int_session_steps') }}

),

-- that a session bounced is known when its time for more is over, after all it did
final as (

    select
        {{ text_as_number('owned.person_id') }} as person_key,
        {{ text_as_number('session_steps.session_id') }} as session_key,
        rules.step_number,
        case
            when rules.event_name = 'bounce'
                then
                    session_steps.occurred_at
                    + interval '{{ var('bounce_max_seconds') }}' second
            else session_steps.occurred_at
        end as occurred_at
    from session_steps
    inner join rules on session_steps.micro_conversion = rules.micro_conversion
    inner join owned on session_steps.session_id = owned.session_id

)

select * from final
