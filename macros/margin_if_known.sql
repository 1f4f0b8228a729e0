{#- An aggregated margin (known_margin), or null where too little of its cost is known. -#}
{% macro margin_if_known(relation) -%}
    case when {{ is_margin_known(relation) }} then {{ relation }}.known_margin end
{%- endmacro %}
