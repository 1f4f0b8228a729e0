{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {'session': 'session_id'}},
) }}

with orders as (

    select * from {{ ref('int_orders_netted') }}

),

order_sessions as (

    select * from {{ ref('int_order_sessions') }}
    where session_id is not null

),

final as (

    select
        order_sessions.session_id,
        min_by(
            orders.order_id, row(orders.ordered_at, orders.order_id)
        ) as order_id,
        count(*) as order_count,
        sum(
            case when orders.is_cancelled then 0 else orders.net_revenue end
        ) as net_revenue
    from order_sessions
    inner join orders on order_sessions.order_id = orders.order_id
    group by order_sessions.session_id

)

select * from final
