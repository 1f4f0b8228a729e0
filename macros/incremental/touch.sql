{#- A pre-hook that touches the entities of rows of a relation: what the model must rebuild although no step above names it.
    Nothing in a full refresh. -#}
{% macro touch(entity, relation, key, condition) -%}
    {%- if is_incremental() -%}
        insert into ops.touched
        select distinct '{{ entity }}', cast({{ key }} as varchar), '{{ this.name }}'
        from {{ relation }}
        where {{ condition }} and {{ key }} is not null
    {%- endif -%}
{%- endmacro %}
