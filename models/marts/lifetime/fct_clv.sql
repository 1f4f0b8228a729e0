with customers as (

    select * from {{ ref('int_clv_customers') }}
    where holdout_days = 0

),

predicted as (

    select * from {{ ref('int_clv_predicted') }}

),

valued as (

    select
        customers.person_id,
        customers.frequency,
        customers.recency_days,
        customers.age_days,
        case
            when
                customers.frequency > 0
                then cast(round(customers.monetary_value, 2) as decimal(18, 2))
        end as monetary_value,
        predicted.probability_alive,
        predicted.expected_orders_90d,
        predicted.expected_orders_365d,
        cast(round(predicted.expected_order_value, 2) as decimal(18, 2))
            as expected_order_value,
        cast(round(predicted.predicted_clv, 2) as decimal(18, 2)) as predicted_clv,
        cast(round(predicted.predicted_clv_signed, 2) as decimal(18, 2))
            as predicted_clv_signed,
        cast(customers.historic_value as decimal(18, 2)) as historic_clv,
        predicted.model_run_id,
        predicted.is_identified
    from customers
    inner join predicted on customers.person_id = predicted.person_id

),

final as (

    select
        person_id,
        cast(frequency as integer) as frequency,
        cast(recency_days as integer) as recency_days,
        cast(age_days as integer) as age_days,
        monetary_value,
        probability_alive,
        expected_orders_90d,
        expected_orders_365d,
        expected_order_value,
        predicted_clv,
        predicted_clv_signed,
        historic_clv,
        -- 1 + 10 times the share of customers strictly below
        cast(
            1 + floor(
                10 * (rank() over (order by predicted_clv) - 1)
                / cast(count(*) over () as double)
            ) as integer
        ) as clv_decile,
        model_run_id,
        is_identified
    from valued

)

select * from final
