{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'link': 'identifier_id'}},
) }}

with evidence as (

    select * from {{ ref('int_identity_evidence') }}
    union all
    select * from {{ ref('int_identity_weak_evidence') }}

),

edges as (

    select * from {{ ref('int_identity_edges') }}

),

identifiers as (

    select * from {{ ref('int_identifiers_resolved') }}
    where {{ touched('link', 'identifier_id') }}

),

device_links as (

    select
        *,
        {{ identifier_id("'anonymous_id'", 'anonymous_id') }} as identifier_id
    from {{ ref('int_device_links') }}

),

customer_evidence as (

    select
        evidence.*,
        identifiers.identifier_id,
        identifiers.person_id
    from evidence
    inner join identifiers
        on
            evidence.customer_id = identifiers.identifier
            and identifiers.identifier_kind = 'customer_id'

),

email_evidence as (

    select
        evidence.*,
        identifiers.identifier_id,
        identifiers.person_id
    from evidence
    inner join identifiers
        on
            evidence.email_hash = identifiers.identifier
            and identifiers.identifier_kind = 'email_hash'

),

-- accounts as such
customer_sightings as (

    select
        'customer_id' as identifier_kind,
        customer_id as identifier,
        identifier_id,
        person_id,
        cast(null as varchar) as linked_kind,
        cast(null as varchar) as linked_identifier,
        evidence,
        min(first_seen_at) as valid_from
    from customer_evidence
    group by all

),

-- e-mails with the account that they link
email_links as (

    select
        'email_hash' as identifier_kind,
        email_evidence.email_hash as identifier,
        email_evidence.identifier_id,
        email_evidence.person_id,
        'customer_id' as linked_kind,
        email_evidence.customer_id as linked_identifier,
        email_evidence.evidence,
        email_evidence.first_seen_at as valid_from
    from email_evidence
    inner join edges
        on
            email_evidence.customer_id = edges.customer_id
            and email_evidence.email_hash = edges.email_hash

),

-- e-mails that guests used
guest_sightings as (

    select
        'email_hash' as identifier_kind,
        email_hash as identifier,
        identifier_id,
        person_id,
        cast(null as varchar) as linked_kind,
        cast(null as varchar) as linked_identifier,
        evidence,
        first_seen_at as valid_from
    from email_evidence
    where customer_id is null

),

links as (

    select
        *,
        cast(null as timestamp) as valid_to
    from customer_sightings
    union all
    select
        *,
        cast(null as timestamp) as valid_to
    from email_links
    union all
    select
        *,
        cast(null as timestamp) as valid_to
    from guest_sightings
    union all
    select
        'anonymous_id' as identifier_kind,
        anonymous_id as identifier,
        identifier_id,
        person_id,
        linked_kind,
        linked_identifier,
        evidence,
        valid_from,
        valid_to
    from device_links
    where {{ touched('link', 'identifier_id') }}

),

final as (

    select
        {{ hashed_id(
            "identifier_kind || ':' || identifier"
            ~ " || '|' || coalesce(linked_kind || ':' || linked_identifier, '')"
            ~ " || '|' || evidence"
        ) }} as link_id,
        person_id,
        identifier_kind,
        identifier,
        identifier_id,
        linked_kind,
        linked_identifier,
        evidence,
        valid_from,
        valid_to
    from links

)

select * from final
