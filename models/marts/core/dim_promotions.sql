with promotions as (

    select * from {{ ref('stg_storefront__promotions') }}

),

final as (

    select
        promotion_id,
        promotion_code,
        promotion_name,
        promotion_kind,
        cast(discount_value as decimal(18, 2)) as discount_value,
        starts_at,
        ends_at,
        is_sitewide
    from promotions
    where row_bucket = 'staged'

)

select * from final
