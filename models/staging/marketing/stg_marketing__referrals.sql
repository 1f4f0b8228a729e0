{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'marketing.referrals': "coalesce(referral_id, '')"},
        'emits': {'evidence': ['referrer_customer_id', 'referred_customer_id']},
    },
    pre_hook="{{ gather_raw_rows('marketing', 'referrals') }}",
) }}

{% set contract = raw_contract('marketing', 'referrals') %}

with typed as (

    select
        {{ typed_columns(contract) }}
    from {{ raw_rows(source('marketing', 'referrals')) }}

),

{{ repeated_keys(raw_rows(source('marketing', 'referrals')), contract) }},

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
