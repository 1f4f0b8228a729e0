with products as (

    select * from {{ ref('stg_storefront__products') }}

),

final as (

    select
        product_id,
        product_name,
        category,
        cast(list_price as decimal(18, 2)) as list_price,
        cast(unit_cost as decimal(18, 2)) as unit_cost
    from products
    where row_bucket = 'staged'

)

select * from final
