{#- Select of the conditions in the filters of a seed: the columns `keys`, and name, operator and value of each. A filter is
    empty or conditions `name op value`, joined by ` and `. -#}
{% macro filter_conditions(relation, keys) -%}
    select
        {% for key in keys -%} {{ key }}, {% endfor -%}
        {{ pattern_group('condition', filter_pattern(), 1) }} as condition_name,
        {{ pattern_group('condition', filter_pattern(), 2) }} as condition_operator,
        {{ pattern_group('condition', filter_pattern(), 3) }} as condition_value
    from ({{ split_rows(relation, 'filter', ' and ', 'condition') }}) as split_conditions
{%- endmacro %}
