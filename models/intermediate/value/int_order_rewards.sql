-- read once, by the model that values what led to an order
{{ config(materialized='view') }}

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

earned as (

    select * from {{ ref('int_orders_earned') }}

),

histories as (

    select * from {{ ref('int_order_histories') }}

),

-- a cancelled order was placed, and brings nothing; nobody's order adds to no history
final as (

    select
        placed.order_id,
        placed.person_id,
        {{ text_as_number('placed.person_id') }} as person_key,
        placed.ordered_at,
        case when earned.is_cancelled then 0 else earned.net_sales end as net_sales,
        case
            when earned.is_cancelled then 0
            else earned.contribution_margin
        end as margin,
        {% for when in ['before', 'after'] -%}
        {% for name in history -%}
        histories.{{ when }}_{{ name }},
        {% endfor -%}
        {% endfor -%}
        histories.age_days
    from placed
    inner join earned on placed.order_id = earned.order_id
    left join histories on placed.order_id = histories.order_id

)

select * from final
