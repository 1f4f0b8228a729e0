with customers as (

    select * from {{ ref('int_clv_customers') }}
    where holdout_days > 0

),

predictions as (

    select * from {{ ref('int_clv_backtested') }}

),

days as (

    select * from {{ ref('int_clv_days') }}
    where holdout_days = 0

),

-- what came after the cut-off, as it is known now
outcomes as (

    select
        customers.cutoff_date,
        customers.person_id,
        count(*) as actual_orders,
        sum(days.net_sales) as net_sales,
        sum(days.margin) as known_margin,
        sum(days.costed_sales) as cost_known_sales,
        bool_and(days.costed_orders = days.orders) as is_cost_known
    from customers
    inner join days
        on
            customers.person_id = days.person_id
            and customers.cutoff_date < days.order_date
    group by all

),

-- six decimals: sums of them do not depend on the order of the rows
predicted as (

    select
        cutoff_date,
        person_id,
        expected_orders,
        cast(expected_value as decimal(24, 6)) as expected_value,
        is_identified,
        round(greatest(expected_value, 0), 2) as ranked_value
    from predictions

),

final as (

    select
        customers.cutoff_date,
        customers.person_id,
        cast(customers.holdout_days as integer) as holdout_days,
        customers.value_basis,
        {{ month_of('customers.first_date') }} as cohort_month,
        -- 1 + 10 times the share of customers strictly below
        cast(
            1 + floor(
                10 * (
                    rank() over (
                        partition by customers.cutoff_date
                        order by predicted.ranked_value
                    ) - 1
                ) / cast(
                    count(*) over (partition by customers.cutoff_date) as double
                )
            ) as integer
        ) as decile,
        predicted.expected_orders,
        predicted.expected_value,
        predicted.is_identified,
        customers.last_period_orders,
        coalesce(outcomes.actual_orders, 0) as actual_orders,
        coalesce(outcomes.net_sales, 0) as net_sales,
        coalesce(outcomes.known_margin, 0) as known_margin,
        coalesce(outcomes.cost_known_sales, 0) as cost_known_sales,
        coalesce(outcomes.is_cost_known, true) as is_cost_known
    from customers
    inner join predicted
        on
            customers.cutoff_date = predicted.cutoff_date
            and customers.person_id = predicted.person_id
    left join outcomes
        on
            customers.cutoff_date = outcomes.cutoff_date
            and customers.person_id = outcomes.person_id

)

select * from final
