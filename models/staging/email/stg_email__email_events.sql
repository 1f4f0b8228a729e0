{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'email.email_events': "coalesce(email_event_id, '')"},
        'emits': {'device': 'anonymous_id', 'evidence': 'coalesce(customer_id, email_hash)'},
    },
    pre_hook="{{ gather_raw_rows('email', 'email_events') }}",
) }}

{% set contract = raw_contract('email', 'email_events') %}

with value_map as (

    select * from {{ ref('value_map') }}

),

typed as (

    select
        {{ typed_columns(contract) }}
    from {{ raw_rows(source('email', 'email_events')) }}

),

{{ repeated_keys(raw_rows(source('email', 'email_events')), contract) }},

judged as (

    select
        typed.*,
        {{ row_reason(contract) }} as quarantine_reason,
        {{ is_after_as_of(contract) }} as is_after_as_of,
        {{ is_repeated() }} as is_repeated
    from typed
    {{ join_repeated_keys() }}

),

{{ bucketed_rows(contract) }},

-- an address gets many messages, and is hashed once
addresses as (

    select distinct {{ raw_column(contract, 'email') }} as email
    from {{ raw_rows(source('email', 'email_events')) }}

),

hashed as (

    select
        email,
        {{ hash_email('email') }} as email_hash
    from addresses

),

final as (

    select
        hashed.email_hash,
        {{ staged_columns(contract, {'email': none}) }}
    from bucketed
    left join hashed on bucketed.email = hashed.email
    {{ mapped_words(contract) }}

)

select * from final
