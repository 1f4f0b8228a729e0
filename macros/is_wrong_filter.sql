{#- Whether the text of a filter cannot be understood: a condition that is none, a name that events do not have, a value
    in quotes, which events would have to hold as well, a word where a column holds numbers, or a value in which a further
    condition is joined by another word than ` and `. -#}
{% macro is_wrong_filter(filter) -%}
    {%- set names = '(?:' ~ filter_columns() | join('|') ~ '|properties[.][A-Za-z0-9_-]+)' -%}
    {%- set value = "(?:[^ =<>!''\"].*|''(?:.*[^'' ])? *|\"(?:.*[^\" ])? *)" -%}
    {%- set operator = ' *(?:=|!=|<=|>=|<|>) *' -%}
    {%- set numbers = ['quantity', 'search_result_count', 'load_time_ms', 'event_value'] -%}
    {%- set texts = '(?:' ~ filter_columns() | reject('in', numbers) | join('|') ~ '|properties[.][A-Za-z0-9_-]+)' -%}
    {%- set number = '(?:' ~ numbers | join('|') ~ ')' ~ operator ~ '[+-]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][+-]?[0-9]+)? *' -%}
    {%- set condition = '(?:' ~ texts ~ operator ~ value ~ '|' ~ number ~ ')' -%}
    {%- set joined = '(?:\\s(?:and|or)\\s|&&|[|][|])\\s*[a-z][a-z0-9_.-]*\\s*[=<>!]' -%}
    {%- set listed = ',\\s+' ~ names ~ '\\s*[=<>!]' -%}
    coalesce(
        not {{ every_part_matches(filter, ' and ', '^ *' ~ condition ~ '$') }}
        or {{ matches_pattern("replace(" ~ filter ~ ", ' and ', ';')", "'(?:" ~ joined ~ "|" ~ listed ~ ")'") }},
        false
    )
{%- endmacro %}
