{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'order': 'order_id', 'delivery': 'delivery_id'}},
    pre_hook="{{ touch(
        'delivery', this, 'delivery_id', 'delivered_at is null and promised_at is not null'
    ) }}",
) }}

with deliveries as (

    select * from {{ ref('stg_storefront__deliveries') }}
    where
        row_bucket = 'staged'
        and (
            {{ touched('order', 'order_id') }}
            or {{ touched('delivery', 'delivery_id') }}
        )

),

orders as (

    select * from {{ ref('int_orders_converted') }}

),

settings as (

    select * from {{ ref('int_settings') }}

),

-- an undelivered order is as late as as_of makes it
arrived as (

    select
        deliveries.delivery_id,
        deliveries.order_id,
        deliveries.promised_at,
        deliveries.shipped_at,
        deliveries.delivered_at,
        deliveries.carrier,
        coalesce(deliveries.delivered_at, settings.as_of) as arrived_at
    from deliveries
    inner join orders on deliveries.order_id = orders.order_id
    cross join settings

),

measured as (

    select
        *,
        {{ dbt.datediff(
            reporting_date('promised_at'), reporting_date('arrived_at'), 'day'
        ) }} as days_to_arrival
    from arrived

),

final as (

    select
        delivery_id,
        order_id,
        promised_at,
        shipped_at,
        delivered_at,
        carrier,
        arrived_at > promised_at as is_late,
        case
            when arrived_at > promised_at then cast(days_to_arrival as integer)
            when promised_at is not null then 0
        end as days_late
    from measured

)

select * from final
