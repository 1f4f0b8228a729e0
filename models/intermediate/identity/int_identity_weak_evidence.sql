{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'evidence': 'coalesce(customer_id, email_hash)'},
        'emits': {'link': [
            identifier_id("'customer_id'", 'customer_id'),
            identifier_id("'email_hash'", 'email_hash'),
        ]},
    },
) }}

with identified as (

    select
        customer_id,
        email_hash,
        'login' as evidence,
        occurred_at as seen_at
    from {{ ref('int_events_sessionised') }}
    where
        (customer_id is not null or email_hash is not null)
        and {{ touched('evidence', 'coalesce(customer_id, email_hash)') }}
    union all
    select
        customer_id,
        email_hash,
        'email' as evidence,
        occurred_at as seen_at
    from {{ ref('stg_email__email_events') }}
    where
        row_bucket = 'staged'
        and {{ touched('evidence', 'coalesce(customer_id, email_hash)') }}
    union all
    select
        customer_id,
        cast(null as varchar) as email_hash,
        'exposure' as evidence,
        exposed_at as seen_at
    from {{ ref('stg_experiments__exposures') }}
    where row_bucket = 'staged' and {{ touched('evidence', 'customer_id') }}

),

-- beside an account an e-mail says nothing here: only strong evidence merges
final as (

    select
        customer_id,
        case when customer_id is null then email_hash end as email_hash,
        evidence,
        min(seen_at) as first_seen_at,
        max(seen_at) as last_seen_at,
        false as is_current
    from identified
    where customer_id is not null or email_hash is not null
    group by all

)

select * from final
