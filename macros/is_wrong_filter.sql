{#- Whether the text of a filter cannot be understood: a condition that is none, a name that events do not have, or a value
    in which a further condition is joined by another word than ` and `. -#}
{% macro is_wrong_filter(filter) -%}
    {%- set names = '(?:' ~ filter_columns() | join('|') ~ '|properties[.][A-Za-z0-9_-]+)' -%}
    {%- set condition = names ~ ' *(?:=|!=|<=|>=|<|>) *[^ =<>!].*' -%}
    {%- set unread = "'(?:\\s(?:and|or)\\s|&&|[|][|])\\s*[a-z][a-z0-9_.-]*\\s*[=<>!]'" -%}
    coalesce(
        not {{ every_part_matches(filter, ' and ', '^ *' ~ condition ~ '$') }}
        or {{ matches_pattern("replace(" ~ filter ~ ", ' and ', ';')", unread) }},
        false
    )
{%- endmacro %}
