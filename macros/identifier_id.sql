{#- Key of an identifier. A person_id is the identifier_id of the person's smallest identifier. -#}
{% macro identifier_id(kind, identifier) -%}
    {{ hashed_id(kind ~ " || ':' || " ~ identifier) }}
{%- endmacro %}
