{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'order': 'order_id'}},
) }}

with refunds as (

    select * from {{ ref('int_refunds_converted') }}
    where {{ touched('order', 'order_id') }}

),

final as (

    select
        refund_id,
        order_id,
        order_item_id,
        refunded_at,
        refund_amount,
        refunded_tax as tax_amount,
        reason,
        is_restocked,
        cast(days_to_refund as integer) as days_to_refund
    from refunds

)

select * from final
