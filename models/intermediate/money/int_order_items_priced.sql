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

-- its own unit cost is actual; the product's, else the category's share, is assumed
final as (

    select
        order_items.order_item_id,
        order_items.order_id,
        order_items.product_id,
        products.category,
        order_items.quantity,
        cast(order_items.quantity as double)
        * cast(order_items.unit_price as double) as line_total,
        cast(coalesce(order_items.discount_amount, 0) as double) as line_discount,
        cast(coalesce(order_items.unit_cost, products.unit_cost) as double)
        * cast(order_items.quantity as double) as unit_costs,
        coalesce(category_shares.value, default_shares.value) as cost_share,
        case
            when order_items.unit_cost is not null then 'actual'
            when
                products.unit_cost is not null
                or coalesce(category_shares.value, default_shares.value) is not null
                then 'assumed'
            else 'unknown'
        end as cost_quality
    from order_items
    left join products on order_items.product_id = products.product_id
    left join cost_shares as category_shares
        on products.category = category_shares.category
    left join cost_shares as default_shares on default_shares.category is null

)

select * from final
