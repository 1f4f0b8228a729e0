{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'support.tickets': "coalesce(ticket_id, '')"},
        'emits': {'evidence': 'coalesce(customer_id, email_hash)'},
    },
    pre_hook="{{ gather_raw_rows('support', 'tickets') }}",
) }}

{% set contract = raw_contract('support', 'tickets') %}

with value_map as (

    select * from {{ ref('value_map') }}

),

typed as (

    select
        {{ typed_columns(contract) }}
    from {{ raw_rows(source('support', 'tickets')) }}

),

{{ repeated_keys(raw_rows(source('support', 'tickets')), contract) }},

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

final as (

    select
        {{ staged_columns(contract) }}
    from bucketed
    {{ mapped_words(contract) }}

)

select * from final
