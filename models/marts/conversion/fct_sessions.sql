{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'session': 'session_id'}},
    pre_hook="{{ touch('session', this, 'session_id', 'is_final <> (ended_at < (
        select max(as_of) from ' ~ ref('int_settings') ~ '
    ) - interval ' ~ var('late_arrival_days') ~ ' day)') }}",
) }}

with sessions as (

    select * from {{ ref('int_sessions_summarised') }}
    where {{ touched('session', 'session_id') }}

),

landed as (

    select * from {{ ref('int_sessions_landed') }}
    where {{ touched('session', 'session_id') }}

),

channels as (

    select * from {{ ref('int_session_channels') }}
    where {{ touched('session', 'session_id') }}

),

owned as (

    select * from {{ ref('int_sessions_owned') }}
    where {{ touched('session', 'session_id') }}

),

orders as (

    select * from {{ ref('int_session_orders') }}
    where {{ touched('session', 'session_id') }}

),

settings as (

    select * from {{ ref('int_settings') }}

),

final as (

    select
        sessions.session_id,
        sessions.anonymous_id,
        owned.person_id,
        sessions.started_at,
        sessions.ended_at,
        cast(floor({{ seconds_between(
            'sessions.started_at', 'sessions.ended_at'
        ) }}) as integer) as duration_seconds,
        cast(sessions.event_count as integer) as event_count,
        cast(sessions.page_view_count as integer) as page_view_count,
        sessions.landing_page,
        sessions.exit_page,
        channels.channel_group,
        landed.utm_source,
        landed.utm_medium,
        landed.utm_campaign,
        landed.device_type,
        landed.country,
        sessions.is_bounce,
        landed.intent,
        orders.session_id is not null as is_converted,
        orders.order_id,
        cast(coalesce(orders.order_count, 0) as integer) as order_count,
        cast(coalesce(orders.net_revenue, 0) as decimal(18, 2)) as net_revenue,
        sessions.ended_at
        < settings.as_of - interval '{{ var('late_arrival_days') }}' day as is_final
    from sessions
    inner join landed on sessions.session_id = landed.session_id
    inner join channels on sessions.session_id = channels.session_id
    inner join owned on sessions.session_id = owned.session_id
    left join orders on sessions.session_id = orders.session_id
    cross join settings

)

select * from final
