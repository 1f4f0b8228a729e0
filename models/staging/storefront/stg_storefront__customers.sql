{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'storefront.customers': "coalesce(customer_id, '')"},
        'emits': {'evidence': 'coalesce(customer_id, email_hash)'},
    },
    pre_hook="{{ gather_raw_rows('storefront', 'customers') }}",
) }}

{% set contract = raw_contract('storefront', 'customers') %}

with typed as (

    select
        {{ typed_columns(contract) }}
    from {{ raw_rows(source('storefront', 'customers')) }}

),

{{ repeated_keys(raw_rows(source('storefront', 'customers')), contract) }},

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

)

select * from final
