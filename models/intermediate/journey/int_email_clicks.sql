{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'evidence': 'identifier', 'identifier': 'identifier'},
        'emits': {'clicker': 'person_id'},
    },
) }}

with clicks as (

    select
        email_event_id,
        campaign_id,
        customer_id,
        email_hash,
        coalesce(customer_id, email_hash) as identifier,
        anonymous_id,
        occurred_at
    from {{ ref('stg_email__email_events') }}
    where
        row_bucket = 'staged'
        and event_type = 'clicked'
        and {{ touched(['evidence', 'identifier'], 'coalesce(customer_id, email_hash)') }}

),

identifiers as (

    select * from {{ ref('int_identifiers_resolved') }}

),

{{ owned_rows('clicks') }},

final as (

    select
        email_event_id,
        identifier,
        person_id,
        campaign_id,
        anonymous_id,
        occurred_at
    from owned
    where person_id is not null

)

select * from final
