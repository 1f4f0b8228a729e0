{#- Why a run cannot be incremental, as a list of words; empty where it can. `finished` is the last run that finished. -#}
{% macro full_refresh_reasons(finished) %}
    {% if flags.FULL_REFRESH %} {{ return(['it was asked for']) }} {% endif %}
    {% if run_query('select coalesce(max_by(is_full_refresh and finished_at is null, run_number), false) from ops.runs')[0][0] %}
        {{ return(['the last full refresh did not finish']) }}
    {% elif not finished %} {{ return(['this is the first build of the warehouse']) }}
    {% endif %}
    {% set reasons = [] %}
    {% if code_hash() != finished.code_hash %} {% do reasons.append('the code of the project changed') %} {% endif %}
    {% for node in incremental_models() %}
        {% set relation = adapter.get_relation(node.database, node.schema, node.alias) %}
        {% if relation is none or relation.type != 'table' %}
            {% do reasons.append('there is no table ' ~ node.schema ~ '.' ~ node.alias) %}
        {% endif %}
    {% endfor %}
    {% for row in run_query(
        'select noted.path, files.path is null as is_gone from ops.files as noted left join'
        ~ ' raw_lake.files as files on noted.path = files.path where files.path is null or files.size_bytes <> noted.size_bytes'
        ~ ' or files.modified_at <> noted.modified_at order by noted.path limit 3'
    ) %}
        {% do reasons.append('file ' ~ row.path ~ (' is no longer in the lake' if row.is_gone else ' changed')) %}
    {% endfor %}
    {#- a run that did not finish may have measured at any time up to its own -#}
    {% if var('as_of') %}
        {% set since = run_query(
            'select bool_or(as_of > ' ~ moment(var('as_of')) ~ ') as is_earlier, bool_or(as_of is null) as is_open'
            ~ ' from ops.runs where run_number >= ' ~ finished.run_number
        )[0] %}
        {% if since.is_earlier %} {% do reasons.append('as_of moved back') %}
        {% elif since.is_open %} {% do reasons.append('a run without as_of did not finish') %}
        {% endif %}
    {% endif %}
    {{ return(reasons) }}
{% endmacro %}
