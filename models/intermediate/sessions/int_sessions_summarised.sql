{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'device': 'anonymous_id'}, 'emits': {'session': 'session_id'}},
) }}

with events as (

    select
        *,
        {{ url_path('page_url') }} as page_path
    from {{ ref('int_events_sessionised') }}
    where {{ touched('device', 'anonymous_id') }}

),

summarised as (

    select
        session_id,
        min(anonymous_id) as anonymous_id,
        min(device_event_number) as first_event_number,
        min_by(event_id, device_event_number) as first_event_id,
        min(occurred_at) as started_at,
        max(occurred_at) as ended_at,
        count(*) as event_count,
        count(*) filter (where event_name = 'page_view') as page_view_count,
        min_by(page_path, device_event_number) filter (
            where page_path is not null
        ) as landing_page,
        max_by(page_path, device_event_number) filter (
            where page_path is not null
        ) as exit_page,
        coalesce(min(page_path) <> max(page_path), false) as has_several_pages,
        bool_or(is_interaction) as has_interaction
    from events
    group by session_id

),

final as (

    select
        *,
        not has_several_pages
        and not has_interaction
        and ended_at
        < started_at
        + interval '{{ var('bounce_max_seconds') }}' second as is_bounce
    from summarised

)

select * from final
