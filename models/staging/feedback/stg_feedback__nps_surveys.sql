{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'feedback.nps_surveys': "coalesce(survey_id, '')"},
        'emits': {'evidence': 'coalesce(customer_id, email_hash)'},
    },
    pre_hook="{{ gather_raw_rows('feedback', 'nps_surveys') }}",
) }}

{% set contract = raw_contract('feedback', 'nps_surveys') %}

with value_map as (

    select * from {{ ref('value_map') }}

),

typed as (

    select
        {{ typed_columns(contract) }}
    from {{ raw_rows(source('feedback', 'nps_surveys')) }}

),

{{ repeated_keys(raw_rows(source('feedback', 'nps_surveys')), contract) }},

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
