-- what a person had bought just before and just after each order, as models of repeat
-- purchases see it; of a few columns, for one step
{{ config(materialized='view') }}

with sold as (

    select
        order_id,
        person_id,
        order_date,
        ordered_at,
        net_sales,
        contribution_margin as margin
    from {{ ref('int_orders_earned') }}
    where person_id is not null and not is_cancelled

),

compared as (

    select
        *,
        lag(order_date) over history as previous_date,
        min(order_date) over (partition by person_id) as first_date,
        coalesce(margin, 0) as known_margin,
        case when margin is null then 0 else net_sales end as costed_sales,
        case when margin is null then 0 else 1 end as costed_orders
    from sold
    window history as (partition by person_id order by ordered_at, order_id)

),

-- sums with the order: those before are these without it
summed as (

    select
        *,
        cast(sum(
            case when (order_date = previous_date) then 0 else 1 end
        ) over history as integer) as days,
        sum(
            case when order_date = first_date then net_sales else 0 end
        ) over history as first_day_sales,
        sum(net_sales) over history as total_sales,
        sum(known_margin) over history as total_margin,
        sum(costed_sales) over history as total_costed_sales,
        cast(sum(costed_orders) over history as integer) as total_costed_orders
    from compared
    window history as (
        partition by person_id order by ordered_at, order_id
        rows between unbounded preceding and current row
    )

),

dated as (

    select
        *,
        days - 1 as after_frequency,
        case
            when previous_date is null then null
            when order_date = previous_date then days - 1
            else days - 2
        end as before_frequency,
        {{ dbt.datediff('first_date', 'order_date', 'day') }}
            as age_days,
        {{ dbt.datediff('first_date', 'previous_date', 'day') }}
            as before_recency_days
    from summed

),

final as (

    select
        order_id,
        person_id,
        margin,
        age_days,
        before_frequency,
        before_recency_days,
        case
            when before_frequency > 0
                then
                    cast(total_sales - first_day_sales - net_sales as double)
                    / before_frequency
            else 0
        end as before_monetary_value,
        cast(total_margin - known_margin as double) as before_margin,
        cast(total_costed_sales - costed_sales as double) as before_net_sales,
        total_costed_orders - costed_orders as before_orders,
        after_frequency,
        age_days as after_recency_days,
        case
            when after_frequency > 0
                then cast(total_sales - first_day_sales as double) / after_frequency
            else 0
        end as after_monetary_value,
        cast(total_margin as double) as after_margin,
        cast(total_costed_sales as double) as after_net_sales,
        total_costed_orders as after_orders
    from dated

)

select * from final
