-- read by one step alone: written out it would only cost time
{{ config(materialized='view') }}

with order_items as (

    select * from {{ ref('stg_storefront__order_items') }}
    where row_bucket = 'staged'

),

products as (

    select * from {{ ref('int_product_costs') }}

),

cost_shares as (

    select * from {{ ref('cost_assumptions') }}
    where cost_kind = 'cost_of_goods_share'

),

-- its own unit cost is actual; the product's, else the category's share, is assumed; a
-- hundred billion for a line is a mistake that says nothing
joined as (

    select
        order_items.order_item_id,
        order_items.order_id,
        order_items.product_id,
        products.category,
        order_items.quantity,
        cast(order_items.quantity as double)
        * cast(order_items.unit_price as double) as line_total,
        cast(coalesce(order_items.discount_amount, 0) as double) as line_discount,
        order_items.unit_cost is not null as is_actual,
        cast(coalesce(order_items.unit_cost, products.unit_cost) as double)
        * cast(order_items.quantity as double) as unit_costs,
        coalesce(category_shares.value, default_shares.value) as cost_share
    from order_items
    left join products on order_items.product_id = products.product_id
    left join cost_shares as category_shares
        on products.category = category_shares.category
    left join cost_shares as default_shares on default_shares.category is null

),

final as (

    select
        order_item_id,
        order_id,
        product_id,
        category,
        quantity,
        line_total,
        line_discount,
        case when abs(unit_costs) < 1e11 then unit_costs end as unit_costs,
        cost_share,
        case
            when abs(unit_costs) < 1e11 and is_actual then 'actual'
            when abs(unit_costs) < 1e11 or cost_share is not null then 'assumed'
            else 'unknown'
        end as cost_quality
    from joined

)

select * from final
