-- What a person's months add up to is what moved until the end of the last of them.
with movements as (

    select * from {{ ref('fct_sales_movements') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where not is_cancelled and person_id is not null

),

months as (

    select * from {{ ref('fct_person_months') }}

),

last_months as (

    select max(month) as last_month
    from months

),

-- a refund that is dated before its order moves with it
dated as (

    select
        orders.person_id,
        movements.movement_kind,
        movements.net_revenue,
        greatest(movements.moved_date, orders.order_date) as moved_date
    from movements
    inner join orders on movements.order_id = orders.order_id

),

moved as (

    select
        dated.person_id,
        sum(dated.net_revenue) as net_revenue,
        count(case when dated.movement_kind = 'sale' then 1 end) as orders
    from dated
    cross join last_months
    where {{ month_of('dated.moved_date') }} <= last_months.last_month
    group by dated.person_id

),

told as (

    select
        person_id,
        sum(net_revenue) as net_revenue,
        sum(orders) as orders,
        count(*) as months,
        min(month) as first_month,
        max(month) as last_month
    from months
    group by person_id

)

select
    moved.person_id,
    told.net_revenue
from moved
full join told on moved.person_id = told.person_id
where
    moved.person_id is null
    or told.person_id is null
    or moved.net_revenue <> told.net_revenue
    or moved.orders <> told.orders
    or told.months - 1 <> {{ dbt.datediff(
        'told.first_month', 'told.last_month', 'month'
    ) }}
