with orders as (

    select * from {{ ref('int_orders_converted') }}

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

settings as (

    select * from {{ ref('int_settings') }}

),

sold as (

    select
        orders.order_id,
        numbered.person_id,
        orders.order_date,
        orders.net_sales,
        orders.net_sales + orders.shipping_amount + orders.other_amount
        - costs.sold_cost - orders.payment_fee - orders.fulfilment_cost as margin,
        orders.is_cancelled,
        {{ reporting_date('orders.cancellation_at') }} as cancellation_date
    from orders
    inner join numbered on orders.order_id = numbered.order_id
    inner join costs on orders.order_id = costs.order_id

),

first_sale as (

    select min(order_date) as first_date
    from sold
    where not is_cancelled

),

candidates as (

    {% for days in backtest_days(var('clv_backtest_days')) -%}
    select
        {{ days }} as holdout_days,
        cast({{ dbt.dateadd('day', -days, 'as_of_date') }} as date) as cutoff_date,
        cast(
            {{ dbt.dateadd('day', 1 - 2 * days, 'as_of_date') }} as date
        ) as needed_from
    from settings
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- as_of, and each cut-off before which there is as long a time as after it
cutoffs as (

    select
        candidates.holdout_days,
        candidates.cutoff_date
    from candidates
    cross join first_sale
    where
        candidates.holdout_days = 0
        or first_sale.first_date <= candidates.needed_from

),

-- an order that was cancelled later stood at the cut-off
known as (

    select
        cutoffs.cutoff_date,
        cutoffs.holdout_days,
        sold.order_id,
        sold.person_id,
        sold.order_date,
        sold.net_sales,
        sold.margin
    from sold
    inner join cutoffs on sold.order_date <= cutoffs.cutoff_date
    where
        not sold.is_cancelled
        or (
            cutoffs.holdout_days > 0
            and sold.cancellation_date > cutoffs.cutoff_date
        )

),

returned as (

    select
        cutoffs.cutoff_date,
        refunds.order_id,
        sum(
            refunds.refund_amount - coalesce(restocked.restocked_cost, 0)
        ) as lost_margin
    from refunds
    inner join cutoffs
        on cutoffs.holdout_days = 0 or refunds.refund_date <= cutoffs.cutoff_date
    left join restocked on refunds.refund_id = restocked.refund_id
    group by all

),

earned as (

    select
        known.*,
        known.margin - coalesce(returned.lost_margin, 0) as earned_margin
    from known
    left join returned
        on
            known.order_id = returned.order_id
            and known.cutoff_date = returned.cutoff_date

),

-- decimals: their sums do not depend on the order of the rows
final as (

    select
        cutoff_date,
        holdout_days,
        person_id,
        order_date,
        cast(sum(net_sales) as decimal(18, 2)) as net_sales,
        cast(sum(earned_margin) as decimal(18, 2)) as margin,
        cast(
            sum(case when earned_margin is not null then net_sales end)
            as decimal(18, 2)
        ) as costed_sales,
        count(earned_margin) as costed_orders,
        count(*) as orders
    from earned
    group by all

)

select * from final
