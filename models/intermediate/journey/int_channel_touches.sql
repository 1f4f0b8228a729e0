{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'person': 'person_id', 'contacted': 'person_id'},
        'emits': {'returner': 'person_id'},
    },
    pre_hook="{{ touch('person', ref('int_sessions_owned'), 'person_id', touched(
        'session', 'session_id'
    )) }}",
) }}

{% set is_touched = touched(['person', 'contacted'], 'person_id') %}

with sessions as (

    select
        session_id,
        anonymous_id,
        person_id,
        started_at
    from {{ ref('int_sessions_owned') }}
    where {{ is_touched }}

),

clicks as (

    select * from {{ ref('int_contacts') }}
    where touch_kind = 'email_click' and {{ is_touched }}

),

landed as (

    select
        session_id,
        utm_campaign
    from {{ ref('int_sessions_landed') }}

),

channels as (

    select
        session_id,
        channel_group
    from {{ ref('int_session_channels') }}

),

-- the session that a click opens on its device
landings as (

    select
        clicks.touch_key,
        min_by(
            sessions.session_id, row(sessions.started_at, sessions.session_id)
        ) as session_id
    from clicks
    inner join sessions
        on
            clicks.anonymous_id = sessions.anonymous_id
            and clicks.person_id = sessions.person_id
            and clicks.occurred_at <= sessions.started_at
            and clicks.occurred_at
            + interval '{{ var('session_timeout_minutes') }}' minute
            >= sessions.started_at
    group by clicks.touch_key

),

landed_clicks as (

    select
        clicks.*,
        landings.session_id,
        row_number() over (
            partition by coalesce(landings.session_id, clicks.touch_key)
            order by clicks.occurred_at desc, clicks.touch_key desc
        ) as place_before_session
    from clicks
    left join landings on clicks.touch_key = landings.touch_key

),

-- clicks and the session that they land in are one touch, that of the last click
final as (

    select
        touch_kind,
        touch_key,
        person_id,
        occurred_at,
        'email' as channel_group,
        campaign,
        campaign_id,
        session_id
    from landed_clicks
    where place_before_session = 1
    union all
    select
        'session' as touch_kind,
        sessions.session_id as touch_key,
        sessions.person_id,
        sessions.started_at as occurred_at,
        channels.channel_group,
        landed.utm_campaign as campaign,
        cast(null as varchar) as campaign_id,
        sessions.session_id
    from sessions
    inner join channels on sessions.session_id = channels.session_id
    inner join landed on sessions.session_id = landed.session_id
    anti join landings on sessions.session_id = landings.session_id

)

select * from final
