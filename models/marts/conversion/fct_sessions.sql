with sessions as (

    select * from {{ ref('int_sessions_summarised') }}

),

landed as (

    select * from {{ ref('int_sessions_landed') }}

),

channels as (

    select * from {{ ref('int_session_channels') }}

),

intents as (

    select * from {{ ref('int_session_intents') }}

),

owned as (

    select * from {{ ref('int_sessions_owned') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where session_id is not null

),

ordered as (

    select
        session_id,
        min_by(order_id, row(ordered_at, order_id)) as order_id,
        count(*) as order_count,
        sum(case when is_cancelled then 0 else net_revenue end) as net_revenue
    from orders
    group by session_id

),

final as (

    select
        sessions.session_id,
        sessions.anonymous_id,
        owned.person_id,
        sessions.started_at,
        sessions.ended_at,
        cast(floor({{ seconds_between(
            'sessions.started_at', 'sessions.ended_at'
        ) }}) as integer) as duration_seconds,
        cast(sessions.event_count as integer) as event_count,
        cast(sessions.page_view_count as integer) as page_view_count,
        sessions.landing_page,
        sessions.exit_page,
        channels.channel_group,
        landed.utm_source,
        landed.utm_medium,
        landed.utm_campaign,
        landed.device_type,
        landed.country,
        sessions.is_bounce,
        intents.intent,
        ordered.session_id is not null as is_converted,
        ordered.order_id,
        cast(coalesce(ordered.order_count, 0) as integer) as order_count,
        cast(coalesce(ordered.net_revenue, 0) as decimal(18, 2)) as net_revenue,
        sessions.is_final
    from sessions
    inner join landed on sessions.session_id = landed.session_id
    inner join channels on sessions.session_id = channels.session_id
    inner join intents on sessions.session_id = intents.session_id
    inner join owned on sessions.session_id = owned.session_id
    left join ordered on sessions.session_id = ordered.session_id

)

select * from final
