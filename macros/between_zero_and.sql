{#- A running quantity kept between nothing and the whole line. -#}
{% macro between_zero_and(expression, limit) -%}
    greatest(0, least({{ expression }}, {{ limit }}))
{%- endmacro %}
