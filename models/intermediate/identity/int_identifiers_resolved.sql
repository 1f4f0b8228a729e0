{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'evidence': 'identifier', 'linked': 'identifier'},
        'emits': {
            'identifier': 'identifier',
            'link': 'identifier_id',
            'buyer': 'person_id',
            'profile': 'person_id',
        },
    },
    pre_hook=[
        "{{ touch('linked', ref('int_identity_components'), 'identifier', 'not exists (
            select 1 from ' ~ this ~ ' as stored
            where stored.identifier_kind = int_identity_components.identifier_kind
            and stored.identifier = int_identity_components.identifier
            and stored.is_in_component
            and stored.person_id = '
            ~ identifier_id(\"'customer_id'\", 'int_identity_components.smallest_customer_id')
        ~ ')') }}",
        "{{ touch('linked', this, 'identifier', 'is_in_component and not exists (
            select 1 from ' ~ ref('int_identity_components') ~ ' as components
            where components.identifier_kind = int_identifiers_resolved.identifier_kind
            and components.identifier = int_identifiers_resolved.identifier
        )') }}",
    ],
) }}

with evidence as (

    select
        customer_id,
        email_hash
    from {{ ref('int_identity_evidence') }}
    where {{ touched(['evidence', 'linked'], 'coalesce(customer_id, email_hash)') }}
    union all
    select
        customer_id,
        email_hash
    from {{ ref('int_identity_weak_evidence') }}
    where {{ touched(['evidence', 'linked'], 'coalesce(customer_id, email_hash)') }}

),

edges as (

    select * from {{ ref('int_identity_edges') }}
    where {{ touched(['evidence', 'linked'], 'email_hash') }}

),

components as (

    select * from {{ ref('int_identity_components') }}

),

-- an e-mail is an identifier where it links somebody or stands for a guest
emails as (

    select
        email_hash,
        customer_id as linked_customer_id
    from edges
    union all
    select
        email_hash,
        cast(null as varchar) as linked_customer_id
    from evidence
    where customer_id is null

),

-- every customer is one
identifiers as (

    select
        'customer_id' as identifier_kind,
        customer_id as identifier,
        customer_id as smallest_customer_id
    from evidence
    where customer_id is not null
    group by customer_id
    union all
    select
        'email_hash' as identifier_kind,
        email_hash as identifier,
        min(linked_customer_id) as smallest_customer_id
    from emails
    group by email_hash

),

-- beyond a single link the component says it; who leaves or changes one is touched,
-- however far away the link that did it
named as (

    select
        identifiers.identifier_kind,
        identifiers.identifier,
        coalesce(
            components.smallest_customer_id, identifiers.smallest_customer_id
        ) as smallest_customer_id,
        components.smallest_customer_id is not null as is_in_component
    from identifiers
    left join components
        on
            identifiers.identifier_kind = components.identifier_kind
            and identifiers.identifier = components.identifier

),

-- customer before e-mail, then the smallest
final as (

    select
        identifier_kind,
        identifier,
        {{ identifier_id('identifier_kind', 'identifier') }} as identifier_id,
        coalesce(
            {{ identifier_id("'customer_id'", 'smallest_customer_id') }},
            {{ identifier_id('identifier_kind', 'identifier') }}
        ) as person_id,
        is_in_component
    from named

)

select * from final
