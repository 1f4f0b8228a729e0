{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'device': 'anonymous_id'},
        'emits': {'placement': 'order_id', 'evidence': 'coalesce(customer_id, email_hash)'},
    },
) }}

with events as (

    select
        event_id,
        anonymous_id,
        occurred_at,
        event_name,
        is_interaction,
        page_url,
        customer_id,
        email_hash,
        order_id
    from {{ ref('stg_web__events') }}
    where row_bucket = 'staged' and {{ touched('device', 'anonymous_id') }}

),

compared as (

    select
        *,
        row_number() over device_history as device_event_number,
        lag(occurred_at) over device_history as previous_at,
        last_value(customer_id ignore nulls) over (
            partition by anonymous_id
            order by occurred_at, event_id
            rows between unbounded preceding and 1 preceding
        ) as previous_customer_id
    from events
    window device_history as (partition by anonymous_id order by occurred_at, event_id)

),

-- the device's first event, a silence, another customer, and midnight where it counts
split as (

    select
        *,
        previous_at is null
        or occurred_at
        > previous_at + interval '{{ var('session_timeout_minutes') }}' minute
        {%- if var('session_splits_at_midnight') %}
        or {{ reporting_date('occurred_at') }} > {{ reporting_date('previous_at') }}
        {%- endif %}
        or coalesce(customer_id <> previous_customer_id, false) as is_session_start
    from compared

),

final as (

    select
        event_id,
        last_value(
            case
                when is_session_start
                    then {{ hashed_id(
                        "anonymous_id || '|' || occurred_at || '|' || event_id"
                    ) }}
            end ignore nulls
        ) over (
            partition by anonymous_id
            order by device_event_number
            rows between unbounded preceding and current row
        ) as session_id,
        is_session_start,
        anonymous_id,
        device_event_number,
        occurred_at,
        event_name,
        is_interaction,
        page_url,
        customer_id,
        email_hash,
        order_id
    from split

)

select * from final
