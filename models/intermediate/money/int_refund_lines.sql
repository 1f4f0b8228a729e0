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

    select * from {{ ref('int_order_items_valued') }}
    where {{ touched('order', 'order_id') }}

),

orders as (

    select * from {{ ref('int_orders_converted') }}
    where {{ touched('order', 'order_id') }}

),

refunds_of_lines as (

    select
        refunds.refund_id,
        refunds.refunded_at,
        refunds.is_restocked,
        refunds.refunded_goods,
        order_items.order_item_id,
        order_items.order_id,
        order_items.quantity,
        order_items.line_cost,
        case
            when refunds.quantity is not null then refunds.quantity
            when
                refunds.refunded_goods
                >= order_items.net_sales - {{ var('money_tolerance') }}
                then order_items.quantity
            else 0
        end as returned_quantity
    from refunds
    inner join order_items on refunds.refunded_item_id = order_items.order_item_id

),

-- a refund without a line returns goods only where it covers the order as a whole
refunds_of_orders as (

    select
        refunds.refund_id,
        refunds.refunded_at,
        refunds.is_restocked,
        cast(0 as decimal(18, 2)) as refunded_goods,
        order_items.order_item_id,
        order_items.order_id,
        order_items.quantity,
        order_items.line_cost,
        order_items.quantity as returned_quantity
    from refunds
    inner join orders on refunds.order_id = orders.order_id
    inner join order_items on refunds.order_id = order_items.order_id
    where
        refunds.refunded_item_id is null
        and refunds.quantity is null
        and refunds.refunded_goods >= orders.net_sales - {{ var('money_tolerance') }}

),

returns as (

    select * from refunds_of_lines
    union all
    select * from refunds_of_orders

),

restockings as (

    select
        *,
        case when is_restocked then returned_quantity else 0 end as restocked_quantity
    from returns

),

-- nothing comes back twice: running totals stop at the quantity of the line
running as (

    select
        *,
        sum(returned_quantity) over line_history as returned_to_date,
        sum(restocked_quantity) over line_history as restocked_to_date
    from restockings
    window line_history as (
        partition by order_item_id
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
        {{ between_zero_and('restocked_to_date', 'quantity') }} as restocked_after,
        {{ between_zero_and(
            'restocked_to_date - restocked_quantity', 'quantity'
        ) }} as restocked_before
    from running

),

final as (

    select
        refund_id,
        order_id,
        order_item_id,
        refunded_goods,
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
