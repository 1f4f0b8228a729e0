-- its key has several columns: computed whole, and its difference handed on
{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'rows_repeat': true, 'emits': {'evidence': 'customer_id'}},
) }}

{% set contract = raw_contract('experiments', 'exposures') %}

with typed as (

    select
        {{ typed_columns(contract) }}
    from {{ source('experiments', 'exposures') }}

),

{{ repeated_keys(source('experiments', 'exposures'), contract) }},

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
