{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'address': 'email_hash'},
        'emits': {
            'link': [
                identifier_id("'customer_id'", 'customer_id'),
                identifier_id("'email_hash'", 'email_hash'),
            ],
            'linked': ['customer_id', 'email_hash'],
        },
    },
    pre_hook="{{ touch('address', ref('int_identity_evidence'), 'email_hash', touched(
        'excluded', 'customer_id'
    )) }}",
) }}

with evidence as (

    select * from {{ ref('int_identity_evidence') }}

),

exclusions as (

    select * from {{ ref('int_identity_exclusions') }}

),

pairs as (

    select
        customer_id,
        email_hash
    from evidence
    where
        customer_id is not null
        and email_hash is not null
        and {{ touched('address', 'email_hash') }}
    group by all

),

-- a link may be withdrawn from either end, an identifier as a whole
withdrawn_pairs as (

    select
        pairs.customer_id,
        pairs.email_hash
    from pairs
    inner join exclusions
        on
            (
                pairs.customer_id = exclusions.identifier
                and exclusions.identifier_kind = 'customer_id'
                and coalesce(exclusions.linked_kind, 'email_hash') = 'email_hash'
                and pairs.email_hash
                = coalesce(exclusions.linked_identifier, pairs.email_hash)
            )
            or (
                pairs.email_hash = exclusions.identifier
                and exclusions.identifier_kind = 'email_hash'
                and coalesce(exclusions.linked_kind, 'customer_id') = 'customer_id'
                and pairs.customer_id
                = coalesce(exclusions.linked_identifier, pairs.customer_id)
            )
    group by all

),

standing_pairs as (

    select pairs.*
    from pairs
    anti join withdrawn_pairs
        on
            pairs.customer_id = withdrawn_pairs.customer_id
            and pairs.email_hash = withdrawn_pairs.email_hash

),

-- an address on many accounts is an office, not a person
shared_emails as (

    select email_hash
    from standing_pairs
    group by email_hash
    having count(*) > {{ var('identity_max_customers_per_email') }}

),

final as (

    select standing_pairs.*
    from standing_pairs
    anti join shared_emails on standing_pairs.email_hash = shared_emails.email_hash

)

select * from final
