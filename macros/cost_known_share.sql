{#- The share of net sales whose cost is known, null where nothing was sold. An order discounted below nothing could
    take it below 0 or above 1. -#}
{% macro cost_known_share(known_sales, net_sales) -%}
    case
        when {{ net_sales }} <> 0
            then {{ between_zero_and('cast(' ~ known_sales ~ ' as double) / cast(' ~ net_sales ~ ' as double)', '1') }}
    end
{%- endmacro %}
