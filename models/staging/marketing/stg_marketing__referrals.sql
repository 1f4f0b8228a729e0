{% set contract = raw_contract('marketing', 'referrals') %}

with raw_rows as (

    select * from {{ source('marketing', 'referrals') }}

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
