{#- CTEs that hold what rounding left over, the last one named `remainders` (order_item_id and a column per part).
    `parts` maps each rounded part to [the order's amount, the weight]: the line of the largest weight takes what is
    left, ties to the smallest order_item_id. Weights are rounded to be told apart, as 3 * 1.10 is a little more than
    3.30 in doubles. Only the few orders where anything is left are ranked. -#}
{% macro remainders(relation, parts) %}
gaps as (

    select
        order_id
        {%- for part, (amount, weight) in parts.items() %},
        cast(max({{ amount }}) - sum({{ part }}) as decimal(18, 2)) as {{ part }}
        {%- endfor %}
    from {{ relation }}
    group by order_id
    having {% for part, (amount, weight) in parts.items() -%}
        max({{ amount }}) <> sum({{ part }}){{ ' or ' if not loop.last }}
    {%- endfor %}

),

remainders as (

    select
        {{ relation }}.order_item_id
        {%- for part, (amount, weight) in parts.items() %},
        case
            when row_number() over (
                partition by {{ relation }}.order_id
                order by round({{ relation }}.{{ weight }}, 6) desc, {{ relation }}.order_item_id
            ) = 1 then gaps.{{ part }}
            else 0
        end as {{ part }}
        {%- endfor %}
    from {{ relation }}
    inner join gaps on {{ relation }}.order_id = gaps.order_id

)
{%- endmacro %}
