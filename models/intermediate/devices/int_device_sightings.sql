{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'device': 'anonymous_id'}},
    pre_hook="{{ touch('device', this, 'anonymous_id', touched('excluded', 'identifier')) }}",
) }}

with events as (

    select * from {{ ref('int_events_sessionised') }}
    where
        (customer_id is not null or email_hash is not null)
        and {{ touched('device', 'anonymous_id') }}

),

sessions as (

    select * from {{ ref('int_sessions_summarised') }}
    where {{ touched('device', 'anonymous_id') }}

),

email_clicks as (

    select * from {{ ref('stg_email__email_events') }}
    where
        row_bucket = 'staged'
        and event_type = 'clicked'
        and anonymous_id is not null
        and {{ touched('device', 'anonymous_id') }}

),

orders as (

    select * from {{ ref('int_order_sessions') }}
    where anonymous_id is not null and {{ touched('device', 'anonymous_id') }}

),

exclusions as (

    select * from {{ ref('int_identity_exclusions') }}

),

-- a click belongs to the session that it lands in
click_sessions as (

    select
        email_clicks.email_event_id,
        min_by(sessions.session_id, sessions.first_event_number) as session_id
    from email_clicks
    inner join sessions
        on
            email_clicks.anonymous_id = sessions.anonymous_id
            and email_clicks.occurred_at <= sessions.ended_at
            and email_clicks.occurred_at
            + interval '{{ var('session_timeout_minutes') }}' minute
            >= sessions.started_at
    group by email_clicks.email_event_id

),

sighted as (

    select
        session_id,
        anonymous_id,
        customer_id,
        email_hash,
        'login' as evidence,
        occurred_at as seen_at
    from events
    union all
    select
        click_sessions.session_id,
        email_clicks.anonymous_id,
        email_clicks.customer_id,
        email_clicks.email_hash,
        'email_click' as evidence,
        email_clicks.occurred_at as seen_at
    from email_clicks
    left join click_sessions
        on email_clicks.email_event_id = click_sessions.email_event_id
    union all
    select
        coalesce(
            device_session_id, case when is_on_device then session_id end
        ) as session_id,
        anonymous_id,
        customer_id,
        email_hash,
        'order' as evidence,
        ordered_at as seen_at
    from orders

),

-- the account says who it is; only without one the e-mail
named as (

    select
        session_id,
        anonymous_id,
        case
            when customer_id is null then 'email_hash' else 'customer_id'
        end as identifier_kind,
        coalesce(customer_id, email_hash) as identifier,
        evidence,
        min(seen_at) as first_seen_at,
        max(seen_at) as last_seen_at
    from sighted
    where customer_id is not null or email_hash is not null
    group by all

),

withdrawn as (

    select
        named.anonymous_id,
        named.identifier_kind,
        named.identifier
    from named
    inner join exclusions
        on
            (
                named.anonymous_id = exclusions.identifier
                and exclusions.identifier_kind = 'anonymous_id'
                and named.identifier_kind
                = coalesce(exclusions.linked_kind, named.identifier_kind)
                and named.identifier
                = coalesce(exclusions.linked_identifier, named.identifier)
            )
            or (
                named.identifier = exclusions.identifier
                and named.identifier_kind = exclusions.identifier_kind
                and coalesce(exclusions.linked_kind, 'anonymous_id') = 'anonymous_id'
                and named.anonymous_id
                = coalesce(exclusions.linked_identifier, named.anonymous_id)
            )
    group by all

),

final as (

    select
        named.*,
        withdrawn.identifier is not null as is_withdrawn
    from named
    left join withdrawn
        on
            named.anonymous_id = withdrawn.anonymous_id
            and named.identifier_kind = withdrawn.identifier_kind
            and named.identifier = withdrawn.identifier

)

select * from final
