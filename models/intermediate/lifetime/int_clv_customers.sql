with orders as (

    select * from {{ ref('int_orders_netted') }}
    where not is_cancelled

),

numbered as (

    select
        order_id,
        person_id
    from {{ ref('int_orders_numbered') }}
    where person_id is not null

),

costs as (

    select * from {{ ref('int_orders_costed') }}

),

segments as (

    select * from {{ ref('int_cohort_members') }}
    where segment_name = '{{ var('clv_group_by') }}'

),

settings as (

    select * from {{ ref('int_settings') }}

),

sold as (

    select
        numbered.person_id,
        orders.order_date,
        cast(orders.net_sales as double) as net_sales,
        cast(
            orders.net_revenue - costs.cost_of_goods
            - orders.payment_fee - orders.fulfilment_cost as double
        ) as margin
    from orders
    inner join numbered on orders.order_id = numbered.order_id
    inner join costs on orders.order_id = costs.order_id

),

-- where most orders have no known cost, what they sold for is all there is
basis as (

    select
        case
            when 2 * count(margin) >= count(*) then 'margin'
            else 'net_sales'
        end as value_basis
    from sold

),

days as (

    select
        person_id,
        order_date,
        sum(net_sales) as net_sales,
        sum(margin) as margin,
        sum(case when margin is not null then net_sales end) as costed_sales,
        count(margin) as costed_orders,
        count(*) as orders
    from sold
    group by all

),

persons as (

    select
        person_id,
        min(order_date) as first_date,
        max(order_date) as last_date,
        count(*) - 1 as frequency,
        sum(net_sales) as net_sales,
        min_by(net_sales, order_date) as first_day_sales,
        sum(margin) as margin,
        sum(costed_sales) as costed_sales,
        sum(costed_orders) as costed_orders,
        sum(orders) as orders
    from days
    group by person_id

),

-- what a cost is known of tells the share that is earned
final as (

    select
        persons.person_id,
        persons.frequency,
        {{ dbt.datediff('persons.first_date', 'persons.last_date', 'day') }}
            as recency_days,
        {{ dbt.datediff('persons.first_date', 'settings.as_of_date', 'day') }}
            as age_days,
        coalesce(
            (persons.net_sales - persons.first_day_sales)
            / nullif(persons.frequency, 0), 0
        ) as monetary_value,
        basis.value_basis,
        case
            when basis.value_basis = 'net_sales' then persons.net_sales
            else coalesce(persons.margin, 0)
        end as margin,
        case
            when basis.value_basis = 'net_sales' then persons.net_sales
            else coalesce(persons.costed_sales, 0)
        end as net_sales,
        case
            when basis.value_basis = 'net_sales' then persons.orders
            else persons.costed_orders
        end as orders,
        case
            when basis.value_basis = 'net_sales' then persons.net_sales
            when persons.costed_orders = persons.orders then persons.margin
        end as historic_value,
        settings.as_of_date,
        segments.segment_name,
        segments.segment_value
    from persons
    cross join basis
    cross join settings
    inner join segments on persons.person_id = segments.person_id

)

select * from final
