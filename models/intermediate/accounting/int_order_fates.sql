{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'order': 'order_id'}},
) }}

with orders as (

    select * from {{ ref('stg_storefront__orders') }}
    where {{ touched('order', 'order_id') }}

),

converted as (

    select order_id from {{ ref('int_orders_converted') }}
    where {{ touched('order', 'order_id') }}

),

good_versions as (

    select
        order_id,
        bool_and(row_bucket = 'after_as_of') as is_after_as_of
    from orders
    where row_bucket <> 'quarantined'
    group by order_id

),

-- an order that is in neither list is missing for its lines, refunds and deliveries
final as (

    select
        order_id,
        'staged' as order_fate
    from converted
    union all
    select
        order_id,
        'after_as_of' as order_fate
    from good_versions
    where is_after_as_of

)

select * from final
