{#- The incremental strategy of this project. The model's query gives the rows of the entities that `meta.touched_by` names
    ({entity: key}; none: all rows, and `meta.rows_repeat` says that equal ones may stand among them). Rows that differ, on
    either side, are replaced; `meta.emits` ({entity: key or keys}) touches what they belong to, by their old and their
    new values, for the steps below. All in the transaction of the model: a run that dies has either done and noted it or
    neither. -#}
{% macro get_incremental_replace_touched_sql(arg_dict) %}
    {% set target = arg_dict.target_relation %}
    {% set rows = arg_dict.temp_relation %}
    {% set columns = arg_dict.dest_columns | map(attribute='quoted') | list %}
    {% set meta = model.config.meta %}
    {% set changed = target.identifier ~ '__changed' %}
    {% set emitted = [] %}
    {% for entity, keys_of in (meta.emits or {}).items() %}
        {% for key in ([keys_of] if keys_of is string else keys_of) %} {% do emitted.append([entity, key]) %} {% endfor %}
    {% endfor %}
    {% set conditions = [] %}
    {% for key, pairs in (meta.touched_by or {}).items() | groupby(1) %}
        {% set entities = pairs | map('first') | list %}
        {#- of raw rows gather_raw_rows() has found the places -#}
        {% set is_raw = '.' in entities[0] %}
        {% do conditions.append(
            'rowid in (select row_place from ' ~ target.identifier ~ '__stored)' if is_raw else touched(entities, key)
        ) %}
    {% endfor %}
    {% if meta.rows_repeat %} {% do conditions.append('true') %} {% endif %}

    {% set named -%}
        {% for _, key in emitted %} {{ key }} as emitted_{{ loop.index }}, {% endfor %}
        {{ hash_of(columns) }} as row_hash
    {%- endset %}
    create or replace temp table {{ changed }} as
    {% if conditions %}
    -- a row may stand there twice: rows are counted
    from (
        select rowid as row_place, 1 as side, {{ named }} from {{ rows }}
        union all
        select rowid as row_place, -1 as side, {{ named }} from {{ target }} where {{ conditions | join(' or ') }}
    ) as both_sides
    qualify sum(side) over (partition by row_hash) <> 0;
    {% else %}
    -- every row has a key of its own
    {% for one, other, side in [(rows, target, 1), (target, rows, -1)] %}
    select one_side.*
    from (select rowid as row_place, {{ side }} as side, {{ named }} from {{ one }}) as one_side
    anti join (select {{ hash_of(columns) }} as row_hash from {{ other }}) as other_side
        on one_side.row_hash = other_side.row_hash
    {{ 'union all' if loop.first }}
    {% endfor %};
    {% endif %}

    {% for entity, _ in emitted %}
    insert into ops.touched
    select distinct '{{ entity }}', cast(emitted_{{ loop.index }} as varchar), '{{ this.name }}'
    from {{ changed }} where emitted_{{ loop.index }} is not null;
    {% endfor %}

    delete from {{ target }} where rowid in (select row_place from {{ changed }} where side < 0);

    insert into {{ target }} ({{ columns | join(', ') }})
    select {{ columns | join(', ') }} from {{ rows }}
    where rowid in (select row_place from {{ changed }} where side > 0);

    insert into ops.rewrites
    select
        {{ run_number() }},
        '{{ this.name }}',
        count(*) filter (where side < 0),
        count(*) filter (where side > 0),
        (select count(*) from {{ target }})
    from {{ changed }}
{% endmacro %}
