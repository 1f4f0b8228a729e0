{% set contract = raw_contract('storefront', 'promotions') %}

with value_map as (

    select * from {{ ref('value_map') }}

),

typed as (

    select
        {{ typed_columns(contract) }}
    from {{ source('storefront', 'promotions') }}

),

{{ repeated_keys(source('storefront', 'promotions'), contract) }},

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
