-- The movements of an order add up to its row in fct_orders in every money column,
-- those of a cancelled one to 0.
{% set columns = money_parts() + ['net_revenue', 'contribution_margin'] %}

with movements as (

    select
        {% for column in columns -%}
        sum({{ column }}) as {{ column }},
        {% endfor -%}
        order_id
    from {{ ref('fct_sales_movements') }}
    group by order_id

),

orders as (

    select * from {{ ref('fct_orders') }}

)

select orders.order_id
from orders
left join movements on orders.order_id = movements.order_id
where
    {% for column in columns -%}
    case
        when orders.is_cancelled and orders.{{ column }} is not null then 0
        else orders.{{ column }}
    end is distinct from movements.{{ column }}
    or
    {% endfor -%}
    movements.order_id is null
