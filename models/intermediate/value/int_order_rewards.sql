{% set history = [
    'frequency', 'recency_days', 'monetary_value', 'margin', 'net_sales', 'orders'
] %}

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

histories as (

    select * from {{ ref('int_order_histories') }}

),

-- a cancelled order was placed, and brings nothing; nobody's order adds to no history
final as (

    select
        placed.order_id,
        placed.person_id,
        {{ hash_as_number('placed.person_id') }} as person_key,
        placed.ordered_at,
        case when orders.is_cancelled then 0 else orders.net_sales end as net_sales,
        case
            when orders.is_cancelled then 0
            else
                orders.net_revenue - costs.cost_of_goods
                - orders.payment_fee - orders.fulfilment_cost
        end as margin,
        {% for when in ['before', 'after'] -%}
        {% for name in history -%}
        histories.{{ when }}_{{ name }},
        {% endfor -%}
        {% endfor -%}
        histories.age_days
    from placed
    inner join orders on placed.order_id = orders.order_id
    inner join costs on placed.order_id = costs.order_id
    left join histories on placed.order_id = histories.order_id

)

select * from final
