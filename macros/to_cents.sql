{#- Rounds an amount to cents, half away from zero. The step through six places takes back what a double lost:
    19.99 * 1.5 is 29.985 and rounds to 29.99, not to 29.98. -#}
{% macro to_cents(expression) -%}
    cast(round(cast({{ expression }} as decimal(18, 6)), 2) as decimal(18, 2))
{%- endmacro %}
