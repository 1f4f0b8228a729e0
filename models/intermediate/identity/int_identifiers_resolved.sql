{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {
        'identifier': 'identifier_id', 'link': 'identifier_id', 'buyer': 'person_id', 'profile': 'person_id'
    }},
) }}

with evidence as (

    select
        customer_id,
        email_hash
    from {{ ref('int_identity_evidence') }}
    union all
    select
        customer_id,
        email_hash
    from {{ ref('int_identity_weak_evidence') }}

),

edges as (

    select * from {{ ref('int_identity_edges') }}

),

components as (

    select
        identifier_kind,
        identifier,
        component
    from {{ ref('int_identity_components') }}

),

-- an e-mail is an identifier where it links somebody or stands for a guest
emails as (

    select email_hash from edges
    union all
    select email_hash from evidence
    where customer_id is null

),

-- every customer is one
identifiers as (

    select
        'customer_id' as identifier_kind,
        customer_id as identifier
    from evidence
    where customer_id is not null
    group by all
    union all
    select
        'email_hash' as identifier_kind,
        email_hash as identifier
    from emails
    group by all

),

labelled as (

    select
        identifiers.identifier_kind,
        identifiers.identifier,
        {{ identifier_id(
            'identifiers.identifier_kind', 'identifiers.identifier'
        ) }} as identifier_id,
        components.component
    from identifiers
    left join components
        on
            identifiers.identifier_kind = components.identifier_kind
            and identifiers.identifier = components.identifier

),

-- customer before e-mail, then the smallest: the kinds stand in alphabetical order
smallest as (

    select
        component,
        min_by(identifier, identifier_kind || ':' || identifier) as identifier,
        min(identifier_kind) as identifier_kind
    from labelled
    where component is not null
    group by component

),

final as (

    select
        labelled.identifier_kind,
        labelled.identifier,
        labelled.identifier_id,
        coalesce(
            {{ identifier_id('smallest.identifier_kind', 'smallest.identifier') }},
            labelled.identifier_id
        ) as person_id
    from labelled
    left join smallest on labelled.component = smallest.component

)

select * from final
