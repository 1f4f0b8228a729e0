{{ config(materialized='incremental', incremental_strategy='replace_touched') }}

with states as (

    select * from {{ ref('int_customer_states') }}
    where is_month_over

),

scores as (

    select * from {{ ref('int_customer_scores') }}

),

sessions as (

    select
        person_id,
        {{ month_of(reporting_date('started_at')) }} as month,
        count(*) as sessions
    from {{ ref('fct_sessions') }}
    group by all

),

tickets as (

    select
        person_id,
        {{ month_of(reporting_date('created_at')) }} as month,
        count(*) as tickets,
        sum(cost_to_serve) as cost_to_serve
    from {{ ref('fct_support_tickets') }}
    where person_id is not null
    group by all

),

-- each answer holds until the month of the next one
answers as (

    select
        person_id,
        {{ month_of(reporting_date('answered_at')) }} as month,
        max_by(score, row(answered_at, sent_at, survey_id)) as score
    from {{ ref('int_surveys_answered') }}
    where answered_at is not null and person_id is not null
    group by all

),

latest as (

    select
        *,
        lead(month) over (partition by person_id order by month) as next_month
    from answers

),

moved as (

    select
        person_id,
        state_month,
        month_orders,
        month_net_revenue,
        month_known_margin as known_margin,
        {{ cost_known_share('month_known_sales', 'month_net_sales') }}
            as cost_known_share,
        is_month_cost_known as is_cost_known
    from states

),

final as (

    select
        moved.person_id,
        moved.state_month as month,
        moved.month_orders as orders,
        moved.month_net_revenue as net_revenue,
        cast({{ margin_if_known('moved') }} as decimal(18, 2)) as contribution_margin,
        moved.cost_known_share,
        cast(coalesce(sessions.sessions, 0) as integer) as sessions,
        cast(coalesce(tickets.tickets, 0) as integer) as tickets,
        cast(
            case when tickets.person_id is null then 0 else tickets.cost_to_serve end
            as decimal(18, 2)
        ) as cost_to_serve,
        cast(latest.score as integer) as latest_nps_score,
        scores.rfm_segment,
        scores.value_tier,
        scores.predicted_clv
    from moved
    inner join scores
        on
            moved.person_id = scores.person_id
            and moved.state_month = scores.state_month
    left join sessions
        on
            moved.person_id = sessions.person_id
            and moved.state_month = sessions.month
    left join tickets
        on
            moved.person_id = tickets.person_id
            and moved.state_month = tickets.month
    left join latest
        on
            moved.person_id = latest.person_id
            and moved.state_month >= latest.month
            and moved.state_month < coalesce(latest.next_month, date '9999-12-01')

)

select * from final
