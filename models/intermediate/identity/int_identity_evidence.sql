{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'evidence': 'coalesce(customer_id, email_hash)'},
        'emits': {
            'link': [
                identifier_id("'customer_id'", 'customer_id'),
                identifier_id("'email_hash'", 'email_hash'),
            ],
            'address': 'email_hash',
        },
    },
) }}

with evidence as (

    -- every good version of an account counts: an old e-mail still tells who it is
    select
        customer_id,
        email_hash,
        'account' as evidence,
        created_at as seen_at,
        coalesce(updated_at, created_at) as last_seen_at,
        row_bucket = 'staged' as is_current
    from {{ ref('stg_storefront__customers') }}
    where
        row_bucket in ('staged', 'duplicate')
        and {{ touched('evidence', 'coalesce(customer_id, email_hash)') }}
    union all
    select
        customer_id,
        email_hash,
        'order' as evidence,
        ordered_at as seen_at,
        ordered_at as last_seen_at,
        false as is_current
    from {{ ref('stg_storefront__orders') }}
    where
        row_bucket = 'staged'
        and {{ touched('evidence', 'coalesce(customer_id, email_hash)') }}
    union all
    select
        customer_id,
        email_hash,
        'ticket' as evidence,
        created_at as seen_at,
        created_at as last_seen_at,
        false as is_current
    from {{ ref('stg_support__tickets') }}
    where
        row_bucket = 'staged'
        and {{ touched('evidence', 'coalesce(customer_id, email_hash)') }}
    union all
    select
        customer_id,
        email_hash,
        'survey' as evidence,
        sent_at as seen_at,
        sent_at as last_seen_at,
        false as is_current
    from {{ ref('stg_feedback__nps_surveys') }}
    where
        row_bucket = 'staged'
        and {{ touched('evidence', 'coalesce(customer_id, email_hash)') }}
    union all
    select
        customer_id,
        email_hash,
        'review' as evidence,
        reviewed_at as seen_at,
        reviewed_at as last_seen_at,
        false as is_current
    from {{ ref('stg_feedback__reviews') }}
    where
        row_bucket = 'staged'
        and {{ touched('evidence', 'coalesce(customer_id, email_hash)') }}
    union all
    select
        referrer_customer_id as customer_id,
        cast(null as varchar) as email_hash,
        'referral' as evidence,
        invited_at as seen_at,
        invited_at as last_seen_at,
        false as is_current
    from {{ ref('stg_marketing__referrals') }}
    where
        row_bucket = 'staged'
        and {{ touched('evidence', 'referrer_customer_id') }}
    union all
    select
        referred_customer_id as customer_id,
        cast(null as varchar) as email_hash,
        'referral' as evidence,
        coalesce(accepted_at, invited_at) as seen_at,
        coalesce(accepted_at, invited_at) as last_seen_at,
        false as is_current
    from {{ ref('stg_marketing__referrals') }}
    where
        row_bucket = 'staged'
        and {{ touched('evidence', 'referred_customer_id') }}

),

final as (

    select
        customer_id,
        email_hash,
        evidence,
        min(seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        bool_or(is_current) as is_current
    from evidence
    where customer_id is not null or email_hash is not null
    group by all

)

select * from final
