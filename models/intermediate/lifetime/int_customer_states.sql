with days as (

    select * from {{ ref('int_person_days') }}

),

segments as (

    select * from {{ ref('int_cohort_members') }}
    where segment_name = '{{ var('clv_group_by') }}'

),

settings as (

    select
        as_of_date,
        {{ month_of('as_of_date') }} as this_month,
        as_of >= {{ utc_from_reporting_time(
            'cast(' ~ dbt.dateadd('month', 1, month_of('as_of_date'))
            ~ " as timestamp) - interval '1' microsecond"
        ) }} as is_this_month_over
    from {{ ref('int_settings') }}

),

monthly as (

    select
        person_id,
        {{ month_of('moved_date') }} as moved_month,
        min(case when orders > 0 then moved_date end) as first_date,
        max(case when orders > 0 then moved_date end) as last_date,
        count(case when orders > 0 then 1 end) as order_days,
        min_by(net_sales, moved_date) as first_day_sales,
        sum(orders) as orders,
        sum(costed_orders) as costed_orders,
        sum(net_sales) as net_sales,
        sum(net_revenue) as net_revenue,
        sum(known_margin) as known_margin,
        sum(cost_known_sales) as cost_known_sales,
        bool_and(is_cost_known) as is_cost_known
    from days
    group by all

),

-- a person's first row is of the month of the first order, which comes first in it
cumulated as (

    select
        person_id,
        moved_month,
        orders as month_orders,
        net_sales as month_net_sales,
        net_revenue as month_net_revenue,
        known_margin as month_known_margin,
        cost_known_sales as month_known_sales,
        is_cost_known as is_month_cost_known,
        min(first_date) over person_to_date as first_date,
        max(last_date) over person_to_date as last_date,
        sum(order_days) over person_to_date as order_days,
        first_value(first_day_sales) over person_to_date as first_day_sales,
        sum(orders) over person_to_date as orders,
        sum(costed_orders) over person_to_date as costed_orders,
        sum(net_sales) over person_to_date as net_sales,
        sum(known_margin) over person_to_date as known_margin,
        sum(cost_known_sales) over person_to_date as cost_known_sales,
        bool_and(is_cost_known) over person_to_date as is_cost_known,
        lead(moved_month) over (
            partition by person_id order by moved_month
        ) as next_moved_month
    from monthly
    window
        person_to_date as (
            partition by person_id order by moved_month
            rows between unbounded preceding and current row
        )

),

spans as (

    select
        cumulated.*,
        settings.*,
        coalesce(segments.segment_value, 'unknown') as segment_value,
        {{ dbt.datediff(
            'cumulated.moved_month',
            'coalesce(cumulated.next_moved_month, cast('
            ~ dbt.dateadd('month', 1, 'settings.this_month') ~ ' as date))',
            'month'
        ) }} - 1 as quiet_months
    from cumulated
    cross join settings
    left join segments on cumulated.person_id = segments.person_id

),

months as (

    {{ numbers_up_to('spans', 'quiet_months') }}

),

dated as (

    select
        *,
        cast(
            {{ dbt.dateadd('month', 'number', 'moved_month') }} as date
        ) as state_month,
        cast(
            {{ dbt.dateadd('month', 'number + 1', 'moved_month') }} as date
        ) as next_month,
        number = 0 as has_moved
    from months

),

states as (

    select
        *,
        least(as_of_date, cast({{ dbt.dateadd('day', -1, 'next_month') }} as date))
            as state_date,
        state_month < this_month or is_this_month_over as is_month_over
    from dated

),

basis as (

    select
        state_month,
        case
            when 2 * sum(costed_orders) >= sum(orders) then 'margin' else 'net_sales'
        end as value_basis
    from states
    group by state_month

),

final as (

    select
        states.person_id,
        states.state_month,
        states.state_date,
        states.is_month_over,
        states.state_month = states.this_month as is_as_of,
        cast(states.order_days - 1 as integer) as frequency,
        {{ dbt.datediff('states.first_date', 'states.last_date', 'day') }}
            as recency_days,
        {{ dbt.datediff('states.first_date', 'states.state_date', 'day') }}
            as age_days,
        coalesce(
            cast(states.net_sales - states.first_day_sales as double)
            / nullif(states.order_days - 1, 0), 0
        ) as monetary_value,
        basis.value_basis,
        cast(case
            when basis.value_basis = 'net_sales' then states.net_sales
            else states.known_margin
        end as double) as margin,
        cast(case
            when basis.value_basis = 'net_sales' then states.net_sales
            else states.cost_known_sales
        end as double) as net_sales,
        cast(case
            when basis.value_basis = 'net_sales' then states.orders
            else states.costed_orders
        end as integer) as orders,
        cast(states.orders as integer) as order_count,
        {{ dbt.datediff('states.last_date', 'states.state_date', 'day') }}
            as days_since_last_order,
        cast(
            case
                when states.is_cost_known then states.known_margin else states.net_sales
            end as decimal(18, 2)
        ) as monetary,
        '{{ var('clv_group_by') }}' as segment_name,
        states.segment_value,
        {% for name in ['net_sales', 'net_revenue', 'known_margin', 'known_sales'] -%}
        case
            when states.has_moved then cast(states.month_{{ name }} as decimal(18, 2))
            else 0
        end as month_{{ name }},
        {% endfor -%}
        case
            when states.has_moved then cast(states.month_orders as integer) else 0
        end as month_orders,
        not states.has_moved or states.is_month_cost_known as is_month_cost_known
    from states
    inner join basis on states.state_month = basis.state_month

)

select * from final
