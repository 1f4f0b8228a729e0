{#- The key of what a text names: 80 bits of its hash. Among a billion keys two are equal with a chance of 4 in 10 million, and the
    rest of the hash would be carried and written by every model. -#}
{% macro hashed_id(text) -%}
    left(md5({{ text }}), 20)
{%- endmacro %}
