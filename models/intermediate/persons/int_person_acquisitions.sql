with orders as (

    select * from {{ ref('int_orders_converted') }}

),

numbered as (

    select * from {{ ref('int_orders_numbered') }}

),

order_items as (

    select * from {{ ref('int_order_items_valued') }}

),

first_orders as (

    select
        numbered.person_id,
        orders.order_id,
        orders.ordered_at,
        {{ month_of('orders.order_date') }} as cohort_month,
        orders.country,
        numbered.promotion_id,
        numbered.is_promo_order
    from orders
    inner join numbered on orders.order_id = numbered.order_id
    where numbered.is_first_order

),

-- the line with the largest net sales, ties to the smallest order_item_id
ranked_lines as (

    select
        first_orders.order_id,
        order_items.category,
        row_number() over (
            partition by first_orders.order_id
            order by order_items.net_sales desc, order_items.order_item_id asc
        ) as line_rank
    from first_orders
    inner join order_items on first_orders.order_id = order_items.order_id

),

final as (

    select
        first_orders.person_id,
        first_orders.order_id as first_order_id,
        first_orders.ordered_at as first_order_at,
        first_orders.cohort_month,
        first_orders.country,
        ranked_lines.category as first_category,
        first_orders.promotion_id as acquisition_promotion_id,
        first_orders.is_promo_order as is_promo_acquired
    from first_orders
    left join ranked_lines
        on
            first_orders.order_id = ranked_lines.order_id
            and ranked_lines.line_rank = 1

)

select * from final
