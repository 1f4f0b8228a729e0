{#- CTEs that share the money of orders (columns order_<part>) out by the credits of their touches, the last one named
    `shared`: in cents, and what rounding left goes to the largest credit of the order, of equal ones to the earliest touch. -#}
{% macro shared_amounts(credited, models, parts=['revenue', 'margin']) %}
rounded as (

    select {{ credited }}.*
        {%- for model in models %}{% for part in parts %},
        {{ to_cents(model ~ '_credit * order_' ~ part) }} as {{ model }}_rounded_{{ part }}
        {%- endfor %}{% endfor %}
    from {{ credited }}

),

gaps as (

    select
        order_id
        {%- for model in models %},
        min_by(touch_number, row(-round({{ model }}_credit, 9), touch_number)) as {{ model }}_place
        {%- for part in parts %},
        max(order_{{ part }}) - sum({{ model }}_rounded_{{ part }}) as {{ model }}_{{ part }}
        {%- endfor %}{% endfor %}
    from rounded
    where touch_count > 1
    group by order_id

),

shared as (

    select rounded.*
        {%- for model in models %}{% for part in parts %},
        cast(rounded.{{ model }}_rounded_{{ part }}
            + case when rounded.touch_number = gaps.{{ model }}_place then gaps.{{ model }}_{{ part }} else 0 end
            as decimal(18, 2)) as {{ model }}_{{ part }}
        {%- endfor %}{% endfor %}
    from rounded
    left join gaps on rounded.order_id = gaps.order_id

)
{%- endmacro %}
