{#- Regular expression of one condition of a filter: name, operator, value. -#}
{% macro filter_pattern() -%}
    ^ *([a-z][a-z0-9_]*(?:[.][A-Za-z0-9_-]+)?) *(=|!=|<=|>=|<|>) *(.*[^ ]) *$
{%- endmacro %}
