{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'device': 'anonymous_id'},
        'emits': {'session': 'session_id', 'person': 'person_id', 'funnel_walk': 'person_id'},
    },
    pre_hook="{{ touch('funnel_walk', this, 'person_id', touched('device', 'anonymous_id')) }}",
) }}

with sessions as (

    select
        session_id,
        anonymous_id,
        started_at
    from {{ ref('int_sessions_summarised') }}
    where {{ touched('device', 'anonymous_id') }}

),

sightings as (

    select * from {{ ref('int_device_sightings') }}
    where
        session_id is not null
        and not is_withdrawn
        and {{ touched('device', 'anonymous_id') }}

),

identifiers as (

    select * from {{ ref('int_identifiers_resolved') }}

),

device_owners as (

    select * from {{ ref('int_device_owners') }}

),

-- where several persons are sighted in a session, it is the first one's; who logs in is
-- there, whoever's mail was clicked on the way
sighted as (

    select
        sightings.session_id,
        min_by(
            identifiers.person_id,
            row(
                case when sightings.evidence = 'login' then 1 else 2 end,
                sightings.first_seen_at,
                sightings.evidence,
                identifiers.person_id
            )
        ) as person_id
    from sightings
    inner join identifiers
        on
            sightings.identifier_kind = identifiers.identifier_kind
            and sightings.identifier = identifiers.identifier
    group by sightings.session_id

),

final as (

    select
        sessions.session_id,
        sessions.anonymous_id,
        sessions.started_at,
        coalesce(
            sighted.person_id,
            device_owners.person_id,
            {{ identifier_id("'anonymous_id'", 'sessions.anonymous_id') }}
        ) as person_id,
        sighted.person_id is null and device_owners.person_id is null as is_visitor
    from sessions
    left join sighted on sessions.session_id = sighted.session_id
    left join device_owners
        on
            sessions.anonymous_id = device_owners.anonymous_id
            and sessions.started_at >= device_owners.valid_from
            and sessions.started_at <= device_owners.valid_to

)

select * from final
