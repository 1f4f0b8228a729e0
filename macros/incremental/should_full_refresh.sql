{#- Replaces dbt's own: a run that start_run() found to need it rebuilds every incremental model. -#}
{% macro should_full_refresh() %}
    {% if flags.FULL_REFRESH or config.get('materialized') != 'incremental' %} {{ return(flags.FULL_REFRESH) }} {% endif %}
    {{ return(run_query('select coalesce(max_by(is_full_refresh, run_number), true) from ops.runs')[0][0]) }}
{% endmacro %}
