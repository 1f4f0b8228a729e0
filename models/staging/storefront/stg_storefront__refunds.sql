{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'storefront.refunds': "coalesce(refund_id, '')"}, 'emits': {'order': 'order_id'}},
    pre_hook="{{ gather_raw_rows('storefront', 'refunds') }}",
) }}

{% set contract = raw_contract('storefront', 'refunds') %}

with typed as (

    select
        {{ typed_columns(contract) }}
    from {{ raw_rows(source('storefront', 'refunds')) }}

),

{{ repeated_keys(raw_rows(source('storefront', 'refunds')), contract) }},

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
