{#- The date of a UTC timestamp in the reporting time zone. -#}
{% macro reporting_date(expression) -%}
    cast({{ reporting_time(expression) }} as date)
{%- endmacro %}
