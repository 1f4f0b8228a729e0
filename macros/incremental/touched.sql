{#- The rows whose entity (one, or a list) this run touches; in a full refresh all of them. -#}
{% macro touched(entity, key) -%}
    {%- if is_by_touch() -%}
        {%- set entities = [entity] if entity is string else entity -%}
        {{ key }} in (select touched.entity_key from ops.touched where touched.entity in ('{{ entities | join("', '") }}'))
    {%- else -%} true
    {%- endif -%}
{%- endmacro %}

{#- Whether a model rebuilds only what is touched: not in a unit test, which has no table, and not where a query is only
    shown (dbt show, dbt compile). -#}
{% macro is_by_touch() %} {{ return(this is not none and is_building() and is_incremental()) }} {% endmacro %}

{#- The first pre-hook of every incremental model: opens its transaction, so that the rows it builds and those they replace go
    by one set of touches. What a step beside it touched in between would be deleted and not built again. One in Python reads in a
    transaction of its own: only a step above it may touch its entities. -#}
{% macro hold_touches() -%}
    {%- if is_incremental() -%} select count(*) from ops.touched {%- endif -%}
{%- endmacro %}
