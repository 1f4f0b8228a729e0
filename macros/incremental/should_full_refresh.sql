{#- Replaces dbt's own: a run that start_run() found to need it rebuilds every incremental model. Asked once a model: every
    touched() asks it. -#}
{% macro should_full_refresh() %}
    {% if flags.FULL_REFRESH or config.get('materialized') != 'incremental' %} {{ return(flags.FULL_REFRESH) }} {% endif %}
    {% if 'is_rebuilt_whole' not in model %}
        {% set found = run_query('select coalesce(max_by(is_full_refresh, run_number), true) from ops.runs') %}
        {% do model.update({'is_rebuilt_whole': found[0][0]}) %}
    {% endif %}
    {{ return(model.is_rebuilt_whole) }}
{% endmacro %}
