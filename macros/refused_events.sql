{#- CTEs that tell which events a rule of a seed names but its filter refuses, the last one named `refused`: the columns `keys`
    of the rule, and event_id. Only events of rules with a filter are looked at in full. -#}
{% macro refused_events(rules, keys, events) %}
conditions as (

    {{ filter_conditions(rules, keys + ['event_name']) }}

),

filtered_events as (

    select * from {{ events }}
    where
        row_bucket = 'staged'
        and event_name in (select conditions.event_name from conditions)
        and {{ touched('device', 'anonymous_id') }}

),

refused as (

    select
        {% for key in keys -%} conditions.{{ key }}, {% endfor -%}
        filtered_events.event_id
    from filtered_events
    inner join conditions on filtered_events.event_name = conditions.event_name
    where not {{ condition_holds('conditions', 'filtered_events') }}
    group by all

)
{%- endmacro %}
