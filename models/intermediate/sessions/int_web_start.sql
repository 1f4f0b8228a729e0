{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {'web_start': 'source_name'}},
) }}

with sessions as (

    select * from {{ ref('int_sessions_summarised') }}

),

final as (

    select
        'web' as source_name,
        min(started_at) as first_session_at
    from sessions

)

select * from final
