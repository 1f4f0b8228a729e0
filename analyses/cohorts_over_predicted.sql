-- Which cohorts were expected to order more than they did? At each cut-off, models
-- fitted to what was known then say how many days with orders each cohort has until
-- as_of. Chance alone moves a count by about its square root, and customers who differ
-- by more: what is not beyond_chance claims nothing, what is may still be luck.
with backtest as (

    select * from {{ ref('fct_clv_backtest') }}
    where group_name = 'cohort'

),

final as (

    select
        cutoff_date,
        group_value as cohort_month,
        customers,
        predicted_orders,
        actual_orders,
        predicted_orders - actual_orders as orders_over,
        error_rate,
        naive_predicted_orders,
        predicted_value,
        actual_value,
        predicted_orders - actual_orders
        > 1.96 * sqrt(predicted_orders) as is_over_beyond_chance
    from backtest

)

select * from final
order by cutoff_date asc, orders_over desc
