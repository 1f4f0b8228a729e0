{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'device': 'anonymous_id'}},
    pre_hook="{{ touch('device', ref('int_device_sightings'), 'anonymous_id', touched(
        'identifier', 'identifier'
    )) }}",
) }}

with sightings as (

    select * from {{ ref('int_device_sightings') }}
    where not is_withdrawn and {{ touched('device', 'anonymous_id') }}

),

identifiers as (

    select * from {{ ref('int_identifiers_resolved') }}

),

resolved as (

    select
        sightings.anonymous_id,
        identifiers.person_id,
        sightings.first_seen_at,
        sightings.last_seen_at
    from sightings
    inner join identifiers
        on
            sightings.identifier_kind = identifiers.identifier_kind
            and sightings.identifier = identifiers.identifier

),

final as (

    select
        anonymous_id,
        min(person_id) as person_id,
        min(first_seen_at)
        - interval '{{ var('identity_lookback_days') }}' day as valid_from,
        max(last_seen_at)
        + interval '{{ var('identity_lookahead_days') }}' day as valid_to
    from resolved
    group by anonymous_id
    having min(person_id) = max(person_id)

)

select * from final
