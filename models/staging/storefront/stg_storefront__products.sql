{% set contract = raw_contract('storefront', 'products') %}

with typed as (

    select
        {{ typed_columns(contract) }}
    from {{ source('storefront', 'products') }}

),

{{ repeated_keys(source('storefront', 'products'), contract) }},

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
