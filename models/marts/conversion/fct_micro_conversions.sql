{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'session': 'session_id'}},
) }}

with steps as (

    select * from {{ ref('int_session_steps') }}
    where {{ touched('session', 'session_id') }}

),

owned as (

    select * from {{ ref('int_sessions_owned') }}
    where {{ touched('session', 'session_id') }}

),

rules as (

    select * from {{ ref('micro_conversions') }}

),

final as (

    select
        steps.session_id,
        steps.micro_conversion,
        owned.person_id,
        steps.occurred_at,
        rules.stage,
        rules.polarity,
        cast(steps.occurrence_count as integer) as occurrence_count
    from steps
    inner join owned on steps.session_id = owned.session_id
    inner join rules on steps.micro_conversion = rules.micro_conversion

)

select * from final
