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

),

device_links as (

    select * from {{ ref('int_device_links') }}

),

-- accounts as such
customer_sightings as (

    select
        'customer_id' as identifier_kind,
        customer_id as identifier,
        cast(null as varchar) as linked_kind,
        cast(null as varchar) as linked_identifier,
        evidence,
        min(first_seen_at) as valid_from
    from evidence
    where customer_id is not null
    group by all

),

-- e-mails with the account that they link
email_links as (

    select
        'email_hash' as identifier_kind,
        evidence.email_hash as identifier,
        'customer_id' as linked_kind,
        evidence.customer_id as linked_identifier,
        evidence.evidence,
        evidence.first_seen_at as valid_from
    from evidence
    inner join edges
        on
            evidence.customer_id = edges.customer_id
            and evidence.email_hash = edges.email_hash

),

-- e-mails that guests used
guest_sightings as (

    select
        'email_hash' as identifier_kind,
        email_hash as identifier,
        cast(null as varchar) as linked_kind,
        cast(null as varchar) as linked_identifier,
        evidence,
        first_seen_at as valid_from
    from evidence
    where customer_id is null

),

links as (

    select * from customer_sightings
    union all
    select * from email_links
    union all
    select * from guest_sightings

),

resolved as (

    select
        links.*,
        cast(null as timestamp) as valid_to,
        identifiers.identifier_id,
        identifiers.person_id
    from links
    inner join identifiers
        on
            links.identifier_kind = identifiers.identifier_kind
            and links.identifier = identifiers.identifier
    union all by name
    select
        *,
        'anonymous_id' as identifier_kind,
        anonymous_id as identifier,
        {{ identifier_id("'anonymous_id'", 'anonymous_id') }} as identifier_id
    from device_links

),

final as (

    select
        md5(
            identifier_kind || ':' || identifier
            || '|' || coalesce(linked_kind || ':' || linked_identifier, '')
            || '|' || evidence
        ) as link_id,
        person_id,
        identifier_kind,
        identifier,
        identifier_id,
        linked_kind,
        linked_identifier,
        evidence,
        valid_from,
        valid_to
    from resolved

)

select * from final
