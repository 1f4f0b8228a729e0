{#- Ends a run: where every incremental model, every view and every table that one reads succeeded, what it touched is done with. Else
    all stays noted, and the next run does it again: a failed, a partial and a killed run lose nothing. Only where every model
    succeeded do all marts tell of the same rows. -#}
{% macro finish_run(results) %}
    {% if not execute or not is_building() or flags.EMPTY %} {{ return('') }} {% endif %}
    {% set succeeded = [] %}
    {% for result in results if result.status == 'success' %} {% do succeeded.append(result.node.unique_id) %} {% endfor %}
    {% set needed = incremental_models() + views_between() + tables_read_by_touch() %}
    {% if needed | map(attribute='unique_id') | reject('in', succeeded) | list %} {{ return('') }} {% endif %}
    {% set restated = run_query(
        "select sum(deleted_rows) from ops.rewrites where model_name = 'fct_person_months' and run_number = " ~ run_number()
    )[0][0] %}
    {% if restated is not none %} {% do log('Restated ' ~ restated ~ ' rows of fct_person_months', info=true) %} {% endif %}
    {% set settings = graph.nodes.values() | selectattr('name', 'equalto', 'int_settings') | first %}
    {% set models = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | map(attribute='unique_id') %}
    {#- In this order: dying in between, the next run does too much rather than too little. -#}
    update ops.runs
    set
        finished_at = {{ clock_time() }},
        is_whole = {{ not models | reject('in', succeeded) | list }},
        as_of = {{ '(select max(as_of) from ' ~ settings.relation_name ~ ')' if settings else 'null' }}
    where run_number = {{ run_number() }};
    delete from ops.touched
{% endmacro %}

{#- The incremental models of the project. -#}
{% macro incremental_models() %}
    {{ return(graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('config.materialized', 'equalto', 'incremental') | sort(attribute='name') | list) }}
{% endmacro %}

{#- The views of the project: they are part of the incremental models that read them. -#}
{% macro views_between() %}
    {{ return(graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('config.materialized', 'equalto', 'view') | sort(attribute='name') | list) }}
{% endmacro %}

{#- The tables, built whole in every run, that incremental models read, be it through a view. A run that leaves one out has
    given its readers the rows of an earlier one. -#}
{% macro tables_read_by_touch() %}
    {% set ids = [] %}
    {% for node in incremental_models() + views_between() %} {% do ids.extend(node.depends_on.nodes) %} {% endfor %}
    {{ return(graph.nodes.values() | selectattr('unique_id', 'in', ids) | selectattr('resource_type', 'equalto', 'model')
        | selectattr('config.materialized', 'equalto', 'table') | list) }}
{% endmacro %}

{#- Whether the command builds models. -#}
{% macro is_building() %} {{ return(flags.WHICH in ['run', 'build', 'retry']) }} {% endmacro %}
