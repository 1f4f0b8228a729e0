{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'order': 'order_id'}},
    pre_hook="{{ touch(
        'order', ref('stg_storefront__order_items'), 'order_id', touched('product', 'product_id')
    ) }}",
) }}

with lines as (

    select * from {{ ref('int_order_items_priced') }}
    where {{ touched('order', 'order_id') }}

),

orders as (

    select * from {{ ref('int_orders_converted') }}
    where {{ touched('order', 'order_id') }}

),

line_sums as (

    select
        order_id,
        sum(line_total) as line_total,
        sum(cast(quantity as double)) as quantity,
        sum(line_discount) as line_discount,
        count(*) as line_count
    from lines
    group by order_id

),

-- gross is shared out by quantity x price (all 0: by quantity, then equally), discount
-- by the lines' own discounts when they add up to the header's, else by gross
headers as (

    select
        orders.order_id,
        orders.gross_sales as order_gross,
        orders.discount_amount as order_discount,
        case
            when line_sums.line_total <> 0 then 'price'
            when line_sums.quantity <> 0 then 'quantity'
            else 'equally'
        end as weighed_by,
        case
            when line_sums.line_total <> 0 then line_sums.line_total
            when line_sums.quantity <> 0 then line_sums.quantity
            else line_sums.line_count
        end as gross_weight_sum,
        line_sums.line_discount as own_discount_sum,
        line_sums.line_discount <> 0
        and abs(line_sums.line_discount - cast(orders.original_discount as double))
        <= {{ var('money_tolerance') }} + 0.000001 as has_own_discounts
    from line_sums
    inner join orders on line_sums.order_id = orders.order_id

),

weighed as (

    select
        lines.*,
        headers.order_gross,
        headers.order_discount,
        headers.gross_weight_sum,
        headers.own_discount_sum,
        headers.has_own_discounts,
        case headers.weighed_by
            when 'price' then lines.line_total
            when 'quantity' then cast(lines.quantity as double)
            else 1
        end as gross_weight
    from lines
    inner join headers on lines.order_id = headers.order_id

),

shared as (

    select
        *,
        case
            when has_own_discounts then line_discount
            else gross_weight
        end as discount_weight,
        {{ to_cents('order_gross * (gross_weight / gross_weight_sum)') }} as gross_part,
        {{ to_cents(
            'order_discount * case when has_own_discounts'
            ~ ' then line_discount / own_discount_sum'
            ~ ' else gross_weight / gross_weight_sum end'
        ) }} as discount_part
    from weighed

),

{{ remainders('shared', {
    'gross_part': ['order_gross', 'gross_weight'],
    'discount_part': ['order_discount', 'discount_weight'],
}) }},

allocated as (

    select
        shared.*,
        shared.gross_part + coalesce(remainders.gross_part, 0) as gross_sales,
        shared.discount_part + coalesce(remainders.discount_part, 0) as discount_amount
    from shared
    left join remainders on shared.order_item_id = remainders.order_item_id

),

final as (

    select
        order_item_id,
        order_id,
        product_id,
        category,
        quantity,
        gross_weight,
        cast(gross_sales as decimal(18, 2)) as gross_sales,
        cast(discount_amount as decimal(18, 2)) as discount_amount,
        cast(gross_sales - discount_amount as decimal(18, 2)) as net_sales,
        coalesce(unit_costs, cost_share * gross_sales) as line_cost,
        cost_quality
    from allocated

)

select * from final
