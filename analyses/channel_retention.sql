-- Do customers of one channel come back and earn more than those of another? The first
-- months of the cohorts for which these are all over: every figure of a channel is
-- about the same people. Few customers move a rate by much: look at how many there are.
-- Channels did not get their customers at random: this is association.
{% set months = 6 %}
{% set shown_months = [1, 3, 6] %}

with cohorts as (

    select * from {{ ref('fct_cohorts') }}
    where
        segment_name = 'acquisition_channel'
        and is_mature
        and period_number <= {{ months }}

),

mature_cohorts as (

    select cohort_month
    from cohorts
    where period_number = {{ months }}
    group by cohort_month

),

-- the margin of a channel is unknown when that of any of its months is
channels as (

    select
        cohorts.segment_value as acquisition_channel,
        count(distinct cohorts.cohort_month) as cohort_count,
        sum(case when cohorts.period_number = 0 then cohorts.cohort_size end)
            as customers,
        {% for month in shown_months -%}
        sum(
            case
                when cohorts.period_number = {{ month }} then cohorts.active_customers
            end
        ) as active_in_month_{{ month }},
        {% endfor -%}
        sum(cohorts.orders) as orders,
        sum(cohorts.net_revenue) as net_revenue,
        sum(case when cohorts.period_number > 0 then cohorts.net_revenue else 0 end)
            as later_net_revenue,
        case
            when count(*) = count(cohorts.contribution_margin)
                then sum(cohorts.contribution_margin)
        end as contribution_margin
    from cohorts
    inner join mature_cohorts on cohorts.cohort_month = mature_cohorts.cohort_month
    group by all

),

-- ratios of sums: large cohorts weigh more
final as (

    select
        acquisition_channel,
        cohort_count,
        customers,
        {% for month in shown_months -%}
        active_in_month_{{ month }}
        / cast(customers as double) as retention_rate_month_{{ month }},
        {% endfor -%}
        orders / cast(customers as double) as orders_per_customer,
        cast(net_revenue as double) / customers as net_revenue_per_customer,
        cast(contribution_margin as double) / customers as margin_per_customer,
        cast(later_net_revenue as double)
        / nullif(cast(net_revenue as double), 0) as later_net_revenue_share
    from channels

)

select * from final
order by customers desc, acquisition_channel asc
