with acquisitions as (

    select * from {{ ref('int_person_acquisitions') }}

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

-- one row per person and segment: the segments of the design, and all
members as (

    {% for name, expression in {
        'all': "'all'",
        'acquisition_channel': 'acquisition_channel',
        'is_promo_acquired': 'cast(is_promo_acquired as varchar)',
        'first_category': 'first_category',
        'country': 'country',
    }.items() -%}
    select
        person_id,
        cohort_month,
        '{{ name }}' as segment_name,
        coalesce({{ expression }}, 'unknown') as segment_value
    from acquisitions
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

sizes as (

    select
        cohort_month,
        segment_name,
        segment_value,
        count(*) as cohort_size
    from members
    group by all

),

spans as (

    select
        sizes.*,
        {{ dbt.datediff('sizes.cohort_month', 'settings.as_of_date', 'month') }} as last_period
    from sizes
    cross join settings

),

-- person and month first, so that segments join few rows
person_months as (

    select
        person_id,
        cast({{ dbt.date_trunc('month', 'order_date') }} as date) as period_month,
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
        cast({{ dbt.date_trunc('month', 'movements.moved_date') }} as date) as period_month,
        0 as orders,
        sum(movements.net_sales) as net_sales,
        sum(movements.net_revenue) as net_revenue,
        sum(movements.contribution_margin) as contribution_margin,
        sum(case when movements.cost_quality <> 'unknown' then movements.net_sales else 0 end) as cost_known_sales,
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
        greatest(
            0, {{ dbt.datediff('members.cohort_month', 'person_months.period_month', 'month') }}
        ) as period_number,
        count(distinct case when person_months.orders > 0 then members.person_id end) as active_customers,
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

periods as (

    {{ numbers_up_to('spans', 'last_period') }}

),

dense as (

    select
        periods.cohort_month,
        periods.segment_name,
        periods.segment_value,
        periods.number as period_number,
        cast({{ dbt.dateadd('month', 'periods.number', 'periods.cohort_month') }} as date) as period_month,
        periods.cohort_size,
        coalesce(activity.active_customers, 0) as active_customers,
        coalesce(activity.orders, 0) as orders,
        coalesce(activity.net_revenue, 0) as net_revenue,
        coalesce(activity.known_margin, 0) as known_margin,
        coalesce(activity.is_cost_known, true) as is_cost_known,
        cast(activity.cost_known_sales as double) / nullif(cast(activity.net_sales as double), 0) as cost_known_share
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

final as (

    select
        margins.cohort_month,
        margins.segment_name,
        margins.segment_value,
        cast(margins.period_number as integer) as period_number,
        margins.period_month,
        cast(margins.cohort_size as integer) as cohort_size,
        cast(margins.active_customers as integer) as active_customers,
        cast(margins.active_customers as double) / margins.cohort_size as retention_rate,
        cast(margins.orders as integer) as orders,
        cast(margins.net_revenue as decimal(18, 2)) as net_revenue,
        cast(margins.contribution_margin as decimal(18, 2)) as contribution_margin,
        -- unknown from the first period on whose margin is unknown
        case
            when count(*) over cohort_to_date = count(margins.contribution_margin) over cohort_to_date
                then cast(sum(margins.contribution_margin) over cohort_to_date as double) / margins.cohort_size
        end as cumulative_margin_per_customer,
        margins.cost_known_share,
        settings.as_of >= {{ utc_from_reporting_time(
            "cast(" ~ dbt.dateadd('month', 1, 'margins.period_month') ~ " as timestamp)"
        ) }} - interval '1' microsecond as is_mature
    from margins
    cross join settings
    window cohort_to_date as (
        partition by margins.cohort_month, margins.segment_name, margins.segment_value
        order by margins.period_number
        rows between unbounded preceding and current row
    )

)

select * from final
