with outcomes as (

    select * from {{ ref('int_clv_outcomes') }}

),

members as (

    {% for name, expression in {
        'all': "'all'",
        'cohort': 'cast(cohort_month as varchar)',
        'decile': 'cast(decile as varchar)',
    }.items() -%}
    select
        *,
        '{{ name }}' as group_name,
        {{ expression }} as group_value
    from outcomes
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

sums as (

    select
        cutoff_date,
        group_name,
        group_value,
        max(holdout_days) as holdout_days,
        max(value_basis) as value_basis,
        bool_and(is_identified) as is_identified,
        count(*) as customers,
        -- the same in whatever order it is summed
        round(sum(expected_orders), 9) as predicted_orders,
        sum(actual_orders) as actual_orders,
        sum(last_period_orders) as naive_predicted_orders,
        sum(expected_value) as predicted_value,
        sum(net_sales) as net_sales,
        sum(known_margin) as known_margin,
        bool_and(is_cost_known) as is_cost_known,
        {{ cost_known_share('sum(cost_known_sales)', 'sum(net_sales)') }}
            as cost_known_share
    from members
    group by cutoff_date, group_name, group_value

),

-- where part of the costs is unknown, as large a part of what was predicted is compared
valued as (

    select
        sums.*,
        case
            when sums.value_basis = 'net_sales' then sums.net_sales
            else {{ margin_if_known('sums') }}
        end as actual_value,
        case
            when sums.value_basis = 'net_sales' then 1
            else coalesce(sums.cost_known_share, 1)
        end as compared_share
    from sums

),

final as (

    select
        cutoff_date,
        group_name,
        group_value,
        holdout_days,
        cast(customers as integer) as customers,
        predicted_orders,
        cast(actual_orders as integer) as actual_orders,
        predicted_orders / nullif(actual_orders, 0) - 1 as error_rate,
        cast(naive_predicted_orders as integer) as naive_predicted_orders,
        naive_predicted_orders / nullif(cast(actual_orders as double), 0)
        - 1 as naive_error_rate,
        cast(round(predicted_value, 2) as decimal(18, 2)) as predicted_value,
        cast(actual_value as decimal(18, 2)) as actual_value,
        cast(predicted_value as double) * compared_share
        / nullif(cast(actual_value as double), 0) - 1 as value_error_rate,
        value_basis,
        cost_known_share,
        is_identified
    from valued

)

select * from final
