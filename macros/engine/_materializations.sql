{#- Tables in DuckDB as this project needs them: no grants, indexes or foreign keys, columns that only a full refresh changes.
    The adapter's own materialisations ask dbt for each of these, and to rename and drop, in a context of its own: a fifth
    of the time of a small build. All in one transaction, so that a run that dies leaves the table that stood; what Python gives is
    written before it, to a table beside that one. -#}
{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {%- set made = table_to_make() -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {#- Python writes over a connection of its own, before the transaction -#}
    {% if model['language'] == 'python' %} {% do run_query('drop table if exists ' ~ made) %} {% endif %}
    {% call statement('main', language=model['language']) %}
        {{- create_table_as(false, made, compiled_code, model['language']) }}
    {%- endcall %}
    {{ return({'relations': [finished_table(made)]}) }}
{% endmaterialization %}

{% materialization incremental, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {%- set is_python = model['language'] == 'python' -%}
    {%- set made = this.incorporate(type='table') if is_incremental() else table_to_make() -%}
    {%- set rows = made.incorporate(path={'identifier': made.identifier ~ '__dbt_tmp'}) if is_incremental() else made -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if is_python %}
        {#- over a connection of its own, which sees what the hooks touched, before the transaction, which sees its rows -#}
        {% do adapter.ensure_transaction() %}
        {% do adapter.commit() %}
        {% do run_query('drop table if exists ' ~ rows) %}
        {% call statement('main', language='python') %} {{- create_table_as(false, rows, compiled_code, 'python') }} {% endcall %}
    {% elif not is_incremental() %}
        {% call statement('main') %} {{- create_table_as(false, made, compiled_code) }} {% endcall %}
    {% else %}
        {%- set rows = rows.include(database=false, schema=false) -%}
        {% do run_query('drop table if exists temp.' ~ rows ~ '; ' ~ create_table_as(true, rows, compiled_code)) %}
    {% endif %}
    {% if is_incremental() %}
        {% set make_sql = adapter.get_incremental_strategy_macro(context, config.get('incremental_strategy')) %}
        {% set columns = adapter.get_column_schema_from_query('select * from ' ~ made) %}
        {% set sql = make_sql({'target_relation': made, 'temp_relation': rows, 'dest_columns': columns}) %}
        {% call statement('replace_rows' if is_python else 'main') %} {{ sql }} {{ '; drop table ' ~ rows if is_python }} {% endcall %}
    {% endif %}
    {{ return({'relations': [finished_table(made)]}) }}
{% endmaterialization %}

{#- The table of a model, or where one stands already, which the model may read, one beside it. -#}
{% macro table_to_make() %}
    {% set beside = {'identifier': this.identifier ~ '__dbt_tmp'} if load_cached_relation(this) else {} %}
    {{ return(this.incorporate(type='table', path=beside)) }}
{% endmacro %}

{#- Puts the rows that were made in the place of those that stood, and ends the transaction. -#}
{% macro finished_table(made) %}
    {%- set standing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='table') -%}
    {% do adapter.ensure_transaction() %}
    {% if made.identifier != target.identifier %}
        {% do run_query(
            'drop ' ~ standing.type ~ ' ' ~ standing ~ '; alter table ' ~ made ~ ' rename to ' ~ adapter.quote(target.identifier)
        ) %}
    {% endif %}
    {% do persist_docs(target, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return(target) }}
{% endmacro %}

{#- The contract has seen to it that every column that is described is there. -#}
{% macro duckdb__alter_column_comment(relation, column_dict) %}
    {% for name, column in column_dict.items() %}
        comment on column {{ relation }}.{{ adapter.quote(name) if column['quote'] else name }}
        is {{ duckdb_escape_comment(column['description']) }};
    {% endfor %}
{% endmacro %}

{#- A seed's file as dbt reads its columns and nothing guessed: the adapter has the engine sniff quotes, and refuses a file with
    both kinds of line ends, as a row makes that is added from another system. Only such a file is read less strictly; that no
    row has too many values, dbt has seen. -#}
{% macro duckdb__load_csv_rows(model, agate_table) %}
    {% set file = "'" ~ adapter.get_seed_file_path(model).replace("'", "''") ~ "'" %}
    {% set is_strict = not run_query(
        "select regexp_matches(content, '\r\n') and regexp_matches(content, '(^|[^\r])\n') from read_text(" ~ file ~ ")"
    )[0][0] %}
    {% set sql %}
        copy {{ this }} ({{ get_seed_column_quoted_csv(model, agate_table.column_names) }})
        from {{ file }} (format csv, auto_detect false, header true, strict_mode {{ is_strict }})
    {% endset %}
    {% do adapter.add_query(sql, abridge_sql_log=True) %}
    {% do check_seed_numbers(agate_table) %}
    {{ return(sql) }}
{% endmacro %}

{#- What the engine reads without a word and no rule can tell afterwards: 1.5 as the whole number 2, nan as a number. -#}
{% macro check_seed_numbers(agate_table) %}
    {% set mistakes = [] %}
    {% for row in agate_table.rows %}
        {% for name, type in config.get('column_types', {}).items() if row.get(name) %}
            {% set wrong = {'integer': '[.]0*[1-9]|[eE]-', 'double': '[nN]'}.get(type) %}
            {% if wrong and modules.re.search(wrong, row[name]) %}
                {% do mistakes.append(row.values() | map('default', '', true) | join(',') ~ ': '
                    ~ name ~ ' is no ' ~ {'integer': 'whole number', 'double': 'number'}[type]) %}
            {% endif %}
        {% endfor %}
    {% endfor %}
    {% if mistakes %}
        {{ exceptions.raise_compiler_error('seed ' ~ this.identifier ~ ': ' ~ mistakes | join('; ')) }}
    {% endif %}
{% endmacro %}

{#- Always made anew, or columns that were added, dropped or typed since would need a full refresh. -#}
{% macro duckdb__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
    {% do adapter.ensure_transaction() %}
    {{ return(default__reset_csv_table(model, true, old_relation, agate_table)) }}
{% endmacro %}
