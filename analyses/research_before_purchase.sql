-- Which micro-conversions of people who only came to research precede a later purchase?
-- Sessions with the intent to research and without an order that are 30 days old: how
-- many were followed by an order of their person within 30 days, with and without the
-- micro-conversion. Who orders soon also looks around more: this is association.
{% set days = 30 %}

with builds as (

    select max(as_of) as as_of from {{ ref('dq_builds') }}

),

research as (

    select * from {{ ref('fct_sessions') }}
    where intent = 'research' and not is_converted

),

orders as (

    select * from {{ ref('fct_orders') }}
    where not is_cancelled

),

micro_conversions as (

    select * from {{ ref('fct_micro_conversions') }}

),

sessions as (

    select
        research.session_id,
        research.person_id,
        research.ended_at
    from research
    cross join builds
    where research.ended_at + interval '{{ days }}' day <= builds.as_of

),

followed as (

    select distinct sessions.session_id
    from sessions
    inner join orders
        on
            sessions.person_id = orders.person_id
            and sessions.ended_at < orders.ordered_at
            and sessions.ended_at + interval '{{ days }}' day >= orders.ordered_at

),

judged as (

    select
        sessions.session_id,
        case when followed.session_id is not null then 1 else 0 end as is_followed
    from sessions
    left join followed on sessions.session_id = followed.session_id

),

totals as (

    select
        count(*) as sessions,
        sum(is_followed) as followed
    from judged

),

steps as (

    select
        micro_conversions.micro_conversion,
        micro_conversions.stage,
        count(*) as sessions_with,
        sum(judged.is_followed) as followed_with
    from judged
    inner join micro_conversions on judged.session_id = micro_conversions.session_id
    group by all

),

final as (

    select
        steps.micro_conversion,
        steps.stage,
        steps.sessions_with,
        totals.sessions - steps.sessions_with as sessions_without,
        steps.followed_with
        / cast(steps.sessions_with as double) as order_rate_with,
        (totals.followed - steps.followed_with)
        / nullif(
            cast(totals.sessions - steps.sessions_with as double), 0
        ) as order_rate_without
    from steps
    cross join totals

)

select * from final
order by order_rate_with - order_rate_without desc nulls last, micro_conversion asc
