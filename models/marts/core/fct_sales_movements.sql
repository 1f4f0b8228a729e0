with orders as (

    select * from {{ ref('int_orders_converted') }}

),

numbered as (

    select * from {{ ref('int_orders_numbered') }}

),

costs as (

    select * from {{ ref('int_orders_costed') }}

),

refunds as (

    select * from {{ ref('int_refunds_converted') }}

),

refund_costs as (

    select
        refund_id,
        sum(restocked_cost) as restocked_cost
    from {{ ref('int_refund_lines') }}
    group by refund_id

),

sales as (

    select
        orders.order_id,
        'sale' as movement_kind,
        orders.order_id as moved_by,
        orders.ordered_at as moved_at,
        orders.gross_sales,
        orders.discount_amount,
        orders.net_sales,
        cast(0 as decimal(18, 2)) as refund_amount,
        orders.shipping_amount,
        orders.other_amount,
        costs.sold_cost as cost_of_goods,
        orders.payment_fee,
        orders.fulfilment_cost
    from orders
    inner join costs on orders.order_id = costs.order_id

),

-- a restocked return gives its cost back on the day of the refund
refundings as (

    select
        refunds.order_id,
        'refund' as movement_kind,
        refunds.refund_id as moved_by,
        refunds.refunded_at as moved_at,
        cast(0 as decimal(18, 2)) as gross_sales,
        cast(0 as decimal(18, 2)) as discount_amount,
        cast(0 as decimal(18, 2)) as net_sales,
        refunds.refund_amount,
        cast(0 as decimal(18, 2)) as shipping_amount,
        cast(0 as decimal(18, 2)) as other_amount,
        case
            when costs.sold_cost is not null then -coalesce(refund_costs.restocked_cost, 0)
        end as cost_of_goods,
        cast(0 as decimal(18, 2)) as payment_fee,
        cast(0 as decimal(18, 2)) as fulfilment_cost
    from refunds
    inner join costs on refunds.order_id = costs.order_id
    left join refund_costs on refunds.refund_id = refund_costs.refund_id

),

moved as (

    select * from sales
    union all
    select * from refundings

),

-- what a cancelled order moved, later refunds included, is taken back at its cancellation
cancelled_sums as (

    select
        moved.order_id,
        max(orders.cancellation_at) as moved_at
        {%- for column in money_parts() %},
        -sum(moved.{{ column }}) as {{ column }}
        {%- endfor %}
    from moved
    inner join orders on moved.order_id = orders.order_id
    where orders.is_cancelled
    group by moved.order_id

),

movements as (

    select * from moved
    union all
    select
        order_id,
        'cancellation' as movement_kind,
        order_id as moved_by,
        moved_at
        {%- for column in money_parts() %},
        {{ column }}
        {%- endfor %}
    from cancelled_sums

),

netted as (

    select
        *,
        net_sales - refund_amount + shipping_amount + other_amount as net_revenue
    from movements

),

final as (

    select
        md5(netted.movement_kind || ':' || netted.moved_by) as movement_id,
        netted.order_id,
        numbered.person_id,
        netted.movement_kind,
        netted.moved_at,
        {{ reporting_date('netted.moved_at') }} as moved_date,
        cast(netted.gross_sales as decimal(18, 2)) as gross_sales,
        cast(netted.discount_amount as decimal(18, 2)) as discount_amount,
        cast(netted.net_sales as decimal(18, 2)) as net_sales,
        cast(netted.refund_amount as decimal(18, 2)) as refund_amount,
        cast(netted.shipping_amount as decimal(18, 2)) as shipping_amount,
        cast(netted.other_amount as decimal(18, 2)) as other_amount,
        cast(netted.net_revenue as decimal(18, 2)) as net_revenue,
        cast(netted.cost_of_goods as decimal(18, 2)) as cost_of_goods,
        cast(netted.payment_fee as decimal(18, 2)) as payment_fee,
        cast(netted.fulfilment_cost as decimal(18, 2)) as fulfilment_cost,
        cast(
            netted.net_revenue - netted.cost_of_goods - netted.payment_fee - netted.fulfilment_cost
            as decimal(18, 2)
        ) as contribution_margin,
        costs.cost_quality
    from netted
    inner join numbered on netted.order_id = numbered.order_id
    inner join costs on netted.order_id = costs.order_id

)

select * from final
