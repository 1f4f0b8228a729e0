with placed as (

    select
        order_id,
        person_id,
        ordered_at
    from {{ ref('int_orders_placed') }}
    where person_id is not null

),

orders as (

    select * from {{ ref('int_orders_netted') }}

),

costs as (

    select * from {{ ref('int_orders_costed') }}

),

-- a cancelled order was placed, and brings nothing
final as (

    select
        placed.order_id,
        {{ hash_as_number('placed.person_id') }} as person_key,
        placed.ordered_at,
        case when orders.is_cancelled then 0 else orders.net_sales end as net_sales,
        case
            when orders.is_cancelled then 0
            else
                orders.net_revenue - costs.cost_of_goods
                - orders.payment_fee - orders.fulfilment_cost
        end as margin,
        cast(0 as decimal(18, 2)) as clv_gain
    from placed
    inner join orders on placed.order_id = orders.order_id
    inner join costs on placed.order_id = costs.order_id

)

select * from final
