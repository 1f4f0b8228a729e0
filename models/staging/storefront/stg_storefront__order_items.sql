{% set contract = raw_contract('storefront', 'order_items') %}

with raw_rows as (

    select * from {{ source('storefront', 'order_items') }}

),

typed as (

    select
        {{ typed_columns(contract) }}
    from raw_rows

),

judged as (

    select
        *,
        {{ row_reason(contract) }} as quarantine_reason,
        {{ is_after_as_of(contract) }} as is_after_as_of,
        {{ row_key(contract) }} as row_key
    from typed

),

{{ bucketed_rows(contract) }},

final as (

    select
        {{ staged_columns(contract) }}
    from bucketed

)

select * from final
