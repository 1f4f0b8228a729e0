{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {'shopper': 'person_id'}},
) }}

with campaigns as (

    select * from {{ ref('stg_email__campaigns') }}
    where row_bucket = 'staged' and campaign_kind = 'cart_reminder'

),

identifiers as (

    select * from {{ ref('int_identifiers_resolved') }}

),

email_events as (

    select * from {{ ref('stg_email__email_events') }}
    where row_bucket = 'staged' and event_type = 'sent'

),

sendings as (

    select
        email_events.email_event_id,
        email_events.customer_id,
        email_events.email_hash,
        email_events.occurred_at
    from email_events
    semi join campaigns on email_events.campaign_id = campaigns.campaign_id

),

{{ owned_rows('sendings') }},

final as (

    select
        email_event_id,
        person_id,
        occurred_at
    from owned
    where person_id is not null

)

select * from final
