{#- The incremental strategy of this project. The model's query gives the rows of the entities that `meta.touched_by` names
    ({entity: key}; none: all rows). Rows with a unique_key that differ, on either side, are replaced; `meta.emits`
    ({entity: key or keys}) touches what they belong to, by their old and their new values, for the steps below. All in the
    transaction of the model: a run that dies has either done and noted it or neither. -#}
{% macro get_incremental_replace_touched_sql(arg_dict) %}
    {% set target = arg_dict.target_relation %}
    {% set rows = arg_dict.temp_relation %}
    {% set columns = arg_dict.dest_columns | map(attribute='quoted') | list %}
    {% set keys = arg_dict.unique_key if arg_dict.unique_key is not string else [arg_dict.unique_key] %}
    {% set meta = model.config.meta %}
    {% set changed = target.identifier ~ '__changed' %}
    {% set emitted = [] %}
    {% for entity, keys_of in (meta.emits or {}).items() %}
        {% for key in ([keys_of] if keys_of is string else keys_of) %} {% do emitted.append([entity, key]) %} {% endfor %}
    {% endfor %}
    {% set conditions = [] %}
    {% for entity, key in (meta.touched_by or {}).items() %} {% do conditions.append(touched(entity, key)) %} {% endfor %}

    create or replace temp table {{ changed }} as
    select
        {% for key in keys %} {{ key }} as key_{{ loop.index }}, {% endfor %}
        {% for _, key in emitted %} any_value({{ key }}) as emitted_{{ loop.index }}, {% endfor %}
        sum(side) as side
    from (
        select {{ columns | join(', ') }}, 1 as side from {{ rows }}
        union all
        select {{ columns | join(', ') }}, -1 as side from {{ target }}
        where {{ conditions | join(' or ') or 'true' }}
    ) as both_sides
    group by {% for key in keys %} {{ key }}, {% endfor %} {{ hash_of(columns) }}
    having sum(side) <> 0;

    {% for entity, _ in emitted %}
    insert into ops.touched
    select distinct '{{ entity }}', cast(emitted_{{ loop.index }} as varchar), '{{ this.name }}'
    from {{ changed }} where emitted_{{ loop.index }} is not null;
    {% endfor %}

    {% set is_changed -%}
        exists (
            select 1 from {{ changed }} as changed
            where {% for key in keys %} changed.key_{{ loop.index }} is not distinct from {{ key }}
            {%- if not loop.last %} and {% endif %}{% endfor %}
        )
    {%- endset %}
    insert into ops.rewrites
    select {{ run_number() }}, '{{ this.name }}', deleted.row_count, inserted.row_count,
        total.row_count - deleted.row_count + inserted.row_count
    from (select count(*) as row_count from {{ target }} where {{ is_changed }}) as deleted,
        (select count(*) as row_count from {{ rows }} where {{ is_changed }}) as inserted,
        (select count(*) as row_count from {{ target }}) as total;

    delete from {{ target }} where {{ is_changed }};

    insert into {{ target }} ({{ columns | join(', ') }})
    select {{ columns | join(', ') }} from {{ rows }} where {{ is_changed }}
{% endmacro %}
