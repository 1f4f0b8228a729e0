with orders as (

    select * from {{ ref('int_orders_converted') }}
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

refunds as (

    select * from {{ ref('int_refunds_converted') }}

),

restocked as (

    select
        refund_id,
        sum(restocked_cost) as restocked_cost
    from {{ ref('int_refund_lines') }}
    group by refund_id

),

sold as (

    select
        orders.order_id,
        numbered.person_id,
        orders.order_date,
        orders.net_sales,
        orders.net_sales + orders.shipping_amount + orders.other_amount as net_revenue,
        costs.sold_cost + orders.payment_fee + orders.fulfilment_cost as cost
    from orders
    inner join numbered on orders.order_id = numbered.order_id
    inner join costs on orders.order_id = costs.order_id

),

-- a refund that is dated before its order moves with it
moved as (

    select
        person_id,
        order_date as moved_date,
        1 as orders,
        net_sales,
        net_revenue,
        net_revenue - cost as margin
    from sold
    union all
    select
        sold.person_id,
        greatest(refunds.refund_date, sold.order_date) as moved_date,
        0 as orders,
        0 as net_sales,
        -refunds.refund_amount as net_revenue,
        case
            when sold.cost is not null
                then coalesce(restocked.restocked_cost, 0) - refunds.refund_amount
        end as margin
    from refunds
    inner join sold on refunds.order_id = sold.order_id
    left join restocked on refunds.refund_id = restocked.refund_id

),

-- decimals: their sums do not depend on the order of the rows
final as (

    select
        person_id,
        moved_date,
        cast(sum(orders) as integer) as orders,
        cast(
            sum(case when margin is not null then orders else 0 end) as integer
        ) as costed_orders,
        cast(sum(net_sales) as decimal(18, 2)) as net_sales,
        cast(sum(net_revenue) as decimal(18, 2)) as net_revenue,
        cast(coalesce(sum(margin), 0) as decimal(18, 2)) as known_margin,
        cast(
            coalesce(sum(case when margin is not null then net_sales end), 0)
            as decimal(18, 2)
        ) as cost_known_sales,
        count(*) = count(margin) as is_cost_known
    from moved
    group by person_id, moved_date

)

select * from final
