{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {'web_start': 'source_name'}},
) }}

with sessions as (

    select * from {{ ref('int_sessions_summarised') }}

),

-- also of a shop that names no device, or of bots alone
events as (

    select count(*) > 0 as has_events
    from {{ ref('stg_web__events') }}
    where row_bucket not in ('quarantined', 'after_as_of')

),

started as (

    select min(started_at) as first_session_at
    from sessions

),

final as (

    select
        'web' as source_name,
        events.has_events,
        started.first_session_at
    from events
    cross join started

)

select * from final
