{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'order': 'order_id'}},
) }}

with refunds as (

    select * from {{ ref('stg_storefront__refunds') }}
    where row_bucket = 'staged' and {{ touched('order', 'order_id') }}

),

orders as (

    select * from {{ ref('int_orders_converted') }}
    where {{ touched('order', 'order_id') }}

),

order_items as (

    select * from {{ ref('stg_storefront__order_items') }}
    where row_bucket = 'staged' and {{ touched('order', 'order_id') }}

),

-- a refund that names a line of another order, or none that exists, is one of its order
matched as (

    select
        refunds.*,
        order_items.order_item_id as refunded_item_id,
        orders.ordered_at,
        orders.exchange_rate,
        orders.prices_include_tax,
        orders.tax_share,
        coalesce(
            cast(refunds.tax_amount as double), refunds.amount * orders.tax_share
        ) as tax_part
    from refunds
    inner join orders on refunds.order_id = orders.order_id
    left join order_items
        on
            refunds.order_item_id = order_items.order_item_id
            and refunds.order_id = order_items.order_id

),

rated as (

    select
        *,
        (amount - tax_part) * exchange_rate as base_amount,
        tax_part * exchange_rate as base_tax,
        case
            when amount <> 0
                then
                    coalesce(shipping_amount, 0) * exchange_rate
                    * (1 - tax_part / cast(amount as double))
            else 0
        end as base_shipping
    from matched

),

-- goods as the order's sales count them: where tax is in the prices, the lines of an
-- order have all lost its average share, whatever tax the refund has of its own
compared as (

    select
        *,
        case
            when prices_include_tax
                then
                    cast(amount - coalesce(shipping_amount, 0) as double)
                    * (1 - tax_share) * exchange_rate
            else base_amount - base_shipping
        end as comparable_goods
    from rated

),

-- what its rate or its tax makes larger than money can be is set aside as missing_rate
converted as (

    select
        *,
        {{ to_cents('base_amount') }} as refund_amount,
        {{ to_cents('base_tax') }} as refunded_tax,
        {{ to_cents('base_shipping') }} as refunded_shipping
    from compared
    where greatest(abs(base_amount), abs(base_tax), abs(base_shipping)) < 1e12

),

final as (

    select
        refund_id,
        order_id,
        order_item_id,
        refunded_item_id,
        refunded_at,
        {{ reporting_date('refunded_at') }} as refund_date,
        refund_amount,
        refunded_tax,
        refunded_shipping,
        cast(refund_amount - refunded_shipping as decimal(18, 2)) as refunded_goods,
        comparable_goods,
        quantity,
        reason,
        coalesce(is_restocked, false) as is_restocked,
        {{ dbt.datediff(
            reporting_date('ordered_at'), reporting_date('refunded_at'), 'day'
        ) }} as days_to_refund
    from converted

)

select * from final
