with days as (

    select * from {{ ref('int_clv_days') }}

),

segments as (

    select * from {{ ref('int_cohort_members') }}
    where segment_name = '{{ var('clv_group_by') }}'

),

-- where most orders have no known cost, what they sold for is all there is
basis as (

    select
        cutoff_date,
        case
            when 2 * sum(costed_orders) >= sum(orders) then 'margin'
            else 'net_sales'
        end as value_basis
    from days
    group by cutoff_date

),

dated as (

    select
        *,
        {{ dbt.datediff('order_date', 'cutoff_date', 'day') }}
            as days_before
    from days

),

persons as (

    select
        cutoff_date,
        holdout_days,
        person_id,
        min(order_date) as first_date,
        max(order_date) as last_date,
        count(*) - 1 as frequency,
        sum(net_sales) as net_sales,
        min_by(net_sales, order_date) as first_day_sales,
        sum(margin) as margin,
        sum(costed_sales) as costed_sales,
        sum(costed_orders) as costed_orders,
        sum(orders) as orders,
        count(case when days_before < holdout_days then 1 end) as last_period_orders
    from dated
    group by all

),

-- what a cost is known of tells the share that is earned; who had but orders that were
-- cancelled after a cut-off is in no segment today
final as (

    select
        persons.cutoff_date,
        persons.holdout_days,
        persons.person_id,
        persons.first_date,
        persons.frequency,
        {{ dbt.datediff('persons.first_date', 'persons.last_date', 'day') }}
            as recency_days,
        {{ dbt.datediff('persons.first_date', 'persons.cutoff_date', 'day') }}
            as age_days,
        coalesce(
            cast(persons.net_sales - persons.first_day_sales as double)
            / nullif(persons.frequency, 0), 0
        ) as monetary_value,
        basis.value_basis,
        cast(case
            when basis.value_basis = 'net_sales' then persons.net_sales
            else coalesce(persons.margin, 0)
        end as double) as margin,
        cast(case
            when basis.value_basis = 'net_sales' then persons.net_sales
            else coalesce(persons.costed_sales, 0)
        end as double) as net_sales,
        case
            when basis.value_basis = 'net_sales' then persons.orders
            else persons.costed_orders
        end as orders,
        case
            when basis.value_basis = 'net_sales' then persons.net_sales
            when persons.costed_orders = persons.orders then persons.margin
        end as historic_value,
        persons.last_period_orders,
        '{{ var('clv_group_by') }}' as segment_name,
        coalesce(
            segments.segment_value,
            '{{ 'all' if var('clv_group_by') == 'all' else 'unknown' }}'
        ) as segment_value
    from persons
    inner join basis on persons.cutoff_date = basis.cutoff_date
    left join segments on persons.person_id = segments.person_id

)

select * from final
