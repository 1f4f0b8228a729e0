{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'order': 'order_id'}},
) }}

with refunds as (

    select * from {{ ref('int_refunds_converted') }}
    where {{ touched('order', 'order_id') }}

),

order_items as (

    select * from {{ ref('int_returnable_lines') }}
    where
        {{ touched('order', 'order_id') }}
        and order_id in (select refunds.order_id from refunds)

),

orders as (

    select * from {{ ref('int_orders_converted') }}
    where
        {{ touched('order', 'order_id') }}
        and order_id in (select refunds.order_id from refunds)

),

-- what a refund must pay for to cover it. Where tax is taken out or a rate applied,
-- goods and sales are rounded apart, and one line of an order holds what that left
order_sizes as (

    select
        orders.order_id,
        orders.net_sales,
        sum(order_items.quantity) as quantity,
        (
            {{ var('money_tolerance') }}
            + count(*) * max(
                case
                    when orders.prices_include_tax or orders.exchange_rate <> 1
                        then 0.005
                    else 0
                end
            )
        ) * greatest(1, max(orders.exchange_rate)) + 0.000001 as tolerance
    from orders
    inner join order_items on orders.order_id = order_items.order_id
    group by orders.order_id, orders.net_sales

),

-- a refund without a line is one of every line
refunded_lines as (

    select
        refunds.refund_id,
        refunds.refunded_at,
        refunds.is_restocked,
        refunds.refunded_item_id is not null as names_line,
        refunds.quantity as refunded_quantity,
        refunds.refund_amount,
        refunds.refunded_goods,
        refunds.comparable_goods,
        order_items.order_item_id,
        order_items.order_id,
        order_items.quantity,
        order_items.line_cost,
        order_sizes.quantity as order_quantity,
        case
            when refunds.refunded_item_id is null then order_sizes.net_sales
            else order_items.net_sales
        end - order_sizes.tolerance as goods_to_cover
    from refunds
    inner join order_items
        on
            refunds.order_id = order_items.order_id
            and (
                refunds.refunded_item_id is null
                or refunds.refunded_item_id = order_items.order_item_id
            )
    inner join order_sizes on refunds.order_id = order_sizes.order_id

),

-- shipping alone returns nothing, not even what was free; a refund that is taken back
-- covers the other way
covered as (

    select
        *,
        case
            when
                comparable_goods >= goods_to_cover
                and (refunded_goods > 0 or refund_amount = 0)
                then quantity
            when -comparable_goods >= goods_to_cover and refunded_goods < 0
                then -quantity
            else 0
        end as covered_quantity
    from refunded_lines

),

-- a refund without a line returns goods only where it covers the order as a whole
returns as (

    select
        refund_id,
        refunded_at,
        is_restocked,
        case when names_line then refunded_goods else 0 end as refunded_goods,
        order_item_id,
        order_id,
        quantity,
        line_cost,
        case
            when not names_line or refunded_quantity is null then covered_quantity
            when refunded_goods < 0 then -abs(refunded_quantity)
            else refunded_quantity
        end as returned_quantity
    from covered
    where
        names_line
        or (
            covered_quantity <> 0
            and abs(coalesce(refunded_quantity, order_quantity)) >= order_quantity
        )

),

restockings as (

    select
        *,
        case when is_restocked then returned_quantity else 0 end as restocked_quantity
    from returns

),

-- nothing comes back twice, and what did not come back is not in stock again: running
-- totals stop at the quantity of the line, restocked ones at what was returned as well
running as (

    select
        *,
        sum(returned_quantity) over line_history as returned_to_date,
        sum(restocked_quantity) over line_history as restocked_to_date
    from restockings
    window line_history as (
        partition by order_id, order_item_id
        order by refunded_at, refund_id
        rows between unbounded preceding and current row
    )

),

bounded as (

    select
        *,
        {{ between_zero_and('returned_to_date', 'quantity') }} as returned_after,
        {{ between_zero_and(
            'returned_to_date - returned_quantity', 'quantity'
        ) }} as returned_before,
        {{ between_zero_and(
            'least(restocked_to_date, returned_to_date)', 'quantity'
        ) }} as restocked_after,
        {{ between_zero_and(
            'least(restocked_to_date - restocked_quantity,'
            ~ ' returned_to_date - returned_quantity)', 'quantity'
        ) }} as restocked_before
    from running

),

final as (

    select
        refund_id,
        order_id,
        order_item_id,
        cast(refunded_goods as decimal(18, 2)) as refunded_goods,
        returned_after - returned_before as returned_quantity,
        restocked_after - restocked_before as restocked_quantity,
        -- differences of rounded costs, so that those of a line add up to the cent
        case
            when quantity = 0 then cast(0 as decimal(18, 2))
            else
                {{ to_cents('line_cost * (1 - restocked_before / quantity)') }}
                - {{ to_cents('line_cost * (1 - restocked_after / quantity)') }}
        end as restocked_cost
    from bounded

)

select * from final
