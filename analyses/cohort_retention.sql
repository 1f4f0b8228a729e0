-- How many customers come back, and what is a customer worth by then? Only cohorts
-- whose first months are all over count: the whole curve is about the same people.
{% set months = 6 %}

with cohorts as (

    select * from {{ ref('fct_cohorts') }}
    where segment_name = 'all' and is_mature and period_number <= {{ months }}

),

mature_cohorts as (

    select cohort_month
    from cohorts
    where period_number = {{ months }}

),

periods as (

    select
        cohorts.period_number,
        count(*) as cohort_count,
        sum(cohorts.cohort_size) as customers,
        sum(cohorts.active_customers) as active_customers,
        sum(cohorts.net_revenue) as net_revenue
    from cohorts
    inner join mature_cohorts on cohorts.cohort_month = mature_cohorts.cohort_month
    group by cohorts.period_number

),

-- a ratio of sums: large cohorts weigh more
final as (

    select
        period_number,
        cohort_count,
        customers,
        cast(active_customers as double) / customers as retention_rate,
        net_revenue,
        cast(sum(net_revenue) over (order by period_number) as double)
        / customers as cumulative_net_revenue_per_customer
    from periods

)

select * from final
order by period_number
