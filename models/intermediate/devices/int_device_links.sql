{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'device': 'anonymous_id'},
        'emits': {'link': identifier_id("'anonymous_id'", 'anonymous_id')},
    },
) }}

with sightings as (

    select * from {{ ref('int_device_sightings') }}
    where not is_withdrawn and {{ touched('device', 'anonymous_id') }}

),

identifiers as (

    select * from {{ ref('int_identifiers_resolved') }}

),

device_owners as (

    select * from {{ ref('int_device_owners') }}
    where {{ touched('device', 'anonymous_id') }}

),

owned as (

    select * from {{ ref('int_sessions_owned') }}
    where {{ touched('device', 'anonymous_id') }}

),

-- a device of one person is theirs for a time around the sightings, a shared one only
-- at each of them
person_links as (

    select
        sightings.anonymous_id,
        sightings.identifier_kind as linked_kind,
        sightings.identifier as linked_identifier,
        sightings.evidence,
        identifiers.person_id,
        coalesce(
            min(device_owners.valid_from), min(sightings.first_seen_at)
        ) as valid_from,
        coalesce(min(device_owners.valid_to), max(sightings.last_seen_at)) as valid_to
    from sightings
    inner join identifiers
        on
            sightings.identifier_kind = identifiers.identifier_kind
            and sightings.identifier = identifiers.identifier
    left join device_owners on sightings.anonymous_id = device_owners.anonymous_id
    group by all

),

visitor_links as (

    select
        anonymous_id,
        cast(null as varchar) as linked_kind,
        cast(null as varchar) as linked_identifier,
        'visit' as evidence,
        person_id,
        min(started_at) as valid_from,
        cast(null as timestamp) as valid_to
    from owned
    where is_visitor
    group by all

),

final as (

    select * from person_links
    union all
    select * from visitor_links

)

select * from final
