-- What an order's lines got of its money adds up to the order, column by column.
{% set columns = [
    'gross_sales', 'discount_amount', 'net_sales', 'refund_amount', 'shipping_amount',
    'other_amount', 'net_revenue', 'payment_fee', 'fulfilment_cost',
] %}

with lines as (

    select
        order_id,
        {% for column in columns -%}
        sum({{ column }}) as {{ column }},
        {% endfor -%}
        sum(cost_of_goods) as cost_of_goods
    from {{ ref('fct_order_items') }}
    group by order_id

),

orders as (

    select * from {{ ref('fct_orders') }}

)

select orders.order_id
from orders
inner join lines on orders.order_id = lines.order_id
where
    {% for column in columns -%}
    orders.{{ column }} <> lines.{{ column }}
    or
    {% endfor -%}
    orders.cost_of_goods <> lines.cost_of_goods
