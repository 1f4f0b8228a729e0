{#- Whether the text of a filter cannot be understood: a condition that is none, or a name that events do not have. -#}
{% macro is_wrong_filter(filter) -%}
    {%- set names = '(?:' ~ filter_columns() | join('|') ~ '|properties[.][A-Za-z0-9_-]+)' -%}
    {%- set condition = names ~ ' *(?:=|!=|<=|>=|<|>) *[^ =<>!].*' -%}
    coalesce(not {{ every_part_matches(filter, ' and ', '^ *' ~ condition ~ '$') }}, false)
{%- endmacro %}
