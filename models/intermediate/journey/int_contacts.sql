{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'evidence': 'identifier', 'identifier': 'identifier'},
        'emits': {'contacted': 'person_id'},
    },
    pre_hook="{{ touch('identifier', this, 'identifier', touched('campaign', 'campaign_id')) }}",
) }}

{% set entities = ['evidence', 'identifier'] %}
{% set of_customer_or_email = touched(entities, 'coalesce(customer_id, email_hash)') %}

with contacts as (

    select
        case event_type
            when 'clicked' then 'email_click'
            else 'email_open'
        end as touch_kind,
        email_event_id as touch_key,
        customer_id,
        email_hash,
        occurred_at,
        cast(null as varchar) as order_id,
        campaign_id,
        anonymous_id
    from {{ ref('stg_email__email_events') }}
    where
        row_bucket = 'staged'
        and event_type in ('clicked', 'opened')
        and {{ of_customer_or_email }}
    {% for kind, relation, key, time in [
        ('ticket', ref('stg_support__tickets'), 'ticket_id', 'created_at'),
        ('survey', ref('stg_feedback__nps_surveys'), 'survey_id', 'sent_at'),
        ('review', ref('stg_feedback__reviews'), 'review_id', 'reviewed_at'),
    ] -%}
    union all
    select
        '{{ kind }}' as touch_kind,
        {{ key }} as touch_key,
        customer_id,
        email_hash,
        {{ time }} as occurred_at,
        order_id,
        null as campaign_id,
        null as anonymous_id
    from {{ relation }}
    where row_bucket = 'staged' and {{ of_customer_or_email }}
    {% endfor -%}
    {% for kind, customer, time in [
        ('share', 'referrer_customer_id', 'invited_at'),
        ('referral', 'referred_customer_id', 'accepted_at'),
    ] -%}
    union all
    select
        '{{ kind }}' as touch_kind,
        referral_id as touch_key,
        {{ customer }} as customer_id,
        null as email_hash,
        {{ time }} as occurred_at,
        null as order_id,
        null as campaign_id,
        null as anonymous_id
    from {{ ref('stg_marketing__referrals') }}
    where
        row_bucket = 'staged'
        and {{ time }} is not null
        and {{ touched(entities, customer) }}
    {% endfor %}

),

campaigns as (

    select * from {{ ref('int_campaigns_named') }}

),

identifiers as (

    select * from {{ ref('int_identifiers_resolved') }}

),

{{ owned_rows('contacts') }},

final as (

    select
        owned.touch_kind,
        owned.touch_key,
        coalesce(owned.customer_id, owned.email_hash) as identifier,
        owned.person_id,
        owned.occurred_at,
        owned.order_id,
        owned.campaign_id,
        campaigns.campaign_name as campaign,
        owned.anonymous_id
    from owned
    left join campaigns on owned.campaign_id = campaigns.campaign_id
    where owned.person_id is not null

)

select * from final
