with members as (

    select * from {{ ref('int_cohort_members') }}

),

movements as (

    select * from {{ ref('fct_sales_movements') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where not is_cancelled and person_id is not null

),

settings as (

    select * from {{ ref('int_settings') }}

),

cohorts as (

    select
        members.cohort_month,
        members.segment_name,
        members.segment_value,
        {{ dbt.datediff(
            'members.cohort_month', 'settings.as_of_date', 'month'
        ) }} as last_period,
        count(*) as cohort_size
    from members
    cross join settings
    group by all

),

periods as (

    {{ numbers_up_to('cohorts', 'last_period') }}

),

-- person and month first, so that segments join few rows; one row holds all the orders
person_months as (

    select
        person_id,
        {{ month_of('order_date') }} as period_month,
        count(*) as orders,
        0 as net_sales,
        0 as net_revenue,
        0 as contribution_margin,
        0 as cost_known_sales,
        true as is_cost_known
    from orders
    group by all
    union all
    select
        movements.person_id,
        {{ month_of('movements.moved_date') }} as period_month,
        0 as orders,
        sum(movements.net_sales) as net_sales,
        sum(movements.net_revenue) as net_revenue,
        sum(movements.contribution_margin) as contribution_margin,
        sum(
            case
                when movements.cost_quality <> 'unknown' then movements.net_sales
                else 0
            end
        ) as cost_known_sales,
        bool_and(movements.cost_quality <> 'unknown') as is_cost_known
    from movements
    inner join orders on movements.order_id = orders.order_id
    group by all

),

-- a refund dated before the first order counts in period 0: no money falls out
activity as (

    select
        members.cohort_month,
        members.segment_name,
        members.segment_value,
        greatest(0, {{ dbt.datediff(
            'members.cohort_month', 'person_months.period_month', 'month'
        ) }}) as period_number,
        count(case when person_months.orders > 0 then 1 end) as active_customers,
        sum(person_months.orders) as orders,
        sum(person_months.net_sales) as net_sales,
        sum(person_months.net_revenue) as net_revenue,
        sum(person_months.contribution_margin) as known_margin,
        sum(person_months.cost_known_sales) as cost_known_sales,
        bool_and(person_months.is_cost_known) as is_cost_known
    from members
    inner join person_months on members.person_id = person_months.person_id
    group by all

),

dense as (

    select
        periods.*,
        cast(
            {{ dbt.dateadd('month', 'periods.number', 'periods.cohort_month') }} as date
        ) as period_month,
        coalesce(activity.active_customers, 0) as active_customers,
        coalesce(activity.orders, 0) as orders,
        coalesce(activity.net_revenue, 0) as net_revenue,
        coalesce(activity.known_margin, 0) as known_margin,
        coalesce(activity.net_sales, 0) as net_sales,
        coalesce(activity.cost_known_sales, 0) as cost_known_sales,
        coalesce(activity.is_cost_known, true) as is_cost_known,
        {{ cost_known_share('activity.cost_known_sales', 'activity.net_sales') }}
            as cost_known_share
    from periods
    left join activity
        on
            periods.cohort_month = activity.cohort_month
            and periods.segment_name = activity.segment_name
            and periods.segment_value = activity.segment_value
            and periods.number = activity.period_number

),

margins as (

    select
        *,
        {{ margin_if_known('dense') }} as contribution_margin
    from dense

),

-- margins to date go by what is known to date, as those of a period by its own
cumulated as (

    select
        cohort_month,
        segment_name,
        segment_value,
        number,
        period_month,
        cohort_size,
        active_customers,
        orders,
        net_revenue,
        contribution_margin,
        cost_known_share as period_cost_known_share,
        {{ cost_known_share(
            'sum(cost_known_sales) over cohort_to_date', 'sum(net_sales) over cohort_to_date'
        ) }} as cost_known_share,
        sum(known_margin) over cohort_to_date as known_margin,
        bool_and(is_cost_known) over cohort_to_date as is_cost_known
    from margins
    window cohort_to_date as (
        partition by cohort_month, segment_name, segment_value
        order by number
        rows between unbounded preceding and current row
    )

),

-- a month is over with its last microsecond in the reporting time zone
final as (

    select
        cumulated.cohort_month,
        cumulated.segment_name,
        cumulated.segment_value,
        cast(cumulated.number as integer) as period_number,
        cumulated.period_month,
        cast(cumulated.cohort_size as integer) as cohort_size,
        cast(cumulated.active_customers as integer) as active_customers,
        cast(cumulated.active_customers as double)
        / cumulated.cohort_size as retention_rate,
        cast(cumulated.orders as integer) as orders,
        cast(cumulated.net_revenue as decimal(18, 2)) as net_revenue,
        cast(cumulated.contribution_margin as decimal(18, 2)) as contribution_margin,
        cast({{ margin_if_known('cumulated') }} as double)
        / cumulated.cohort_size as cumulative_margin_per_customer,
        cumulated.period_cost_known_share as cost_known_share,
        settings.as_of >= {{ utc_from_reporting_time(
            'cast(' ~ dbt.dateadd('month', 1, 'cumulated.period_month')
            ~ " as timestamp) - interval '1' microsecond"
        ) }} as is_mature
    from cumulated
    cross join settings

)

select * from final
