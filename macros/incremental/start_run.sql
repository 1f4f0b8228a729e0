{#- Begins a run: decides whether every incremental model is rebuilt, stops where it would mix two meanings, and notes the run
    and the files that are new. -#}
{% macro start_run() %}
    {% if not execute or not is_building() %} {{ return('') }} {% endif %}
    {% set finished = last_finished_run() %}
    {% set reasons = full_refresh_reasons(finished) %}
    {% set rules = incremental_rules() %}
    {% if not reasons %} {% do stop_at_changed_rules(with_base_currency(fromjson(finished.rules)), rules) %}
    {% elif finished and not flags.FULL_REFRESH %} {% do stop_at_changed_key(rules) %}
    {% endif %}
    {% do stop_at_unloaded_seeds() %}
    {% if reasons and not flags.FULL_REFRESH %}
        {% do log('Every incremental model is rebuilt whole: ' ~ reasons | join('; '), info=true) %}
    {% endif %}
    {#- In this order: dying in between, the next run does too much rather than too little. -#}
    insert into ops.runs (run_number, started_at, is_full_refresh, reasons, rules, code_hash, is_as_of_given, as_of)
    select
        coalesce({{ run_number() }}, 0) + 1,
        {{ clock_time() }},
        {{ (reasons | length) > 0 }},
        {{ as_text(reasons | join('; ')) }},
        {{ as_text(tojson(rules)) }},
        '{{ code_hash() }}',
        {{ var('as_of') is not none }},
        {{ moment(var('as_of')) if var('as_of') else 'null' }};
    {%- if reasons %}
    delete from ops.touched;
    delete from ops.files;
    {%- endif %}
    insert into ops.files (path, size_bytes, modified_at, run_number)
    select
        files.path,
        files.size_bytes,
        files.modified_at,
        {{ run_number() }}
    from raw_lake.files as files
    anti join ops.files as noted on files.path = noted.path
{% endmacro %}

{#- Stops a run that would hash all e-mails anew although nobody asked for that: a key gets lost more easily than it is changed. -#}
{% macro stop_at_changed_key(rules) %}
    {% set before = fromjson(run_query('select max_by(rules, run_number) as rules from ops.runs')[0].rules) %}
    {% set name = 'CX_PII_KEY' %}
    {% do stop_at_changed_rules({name: before[name]}, {name: rules[name]}) %}
{% endmacro %}

{#- The rules of a run: where it took the only currency of the orders for base_currency, or found no orders, naming that one
    changes nothing. -#}
{% macro with_base_currency(rules) %}
    {% set settings = graph.nodes.values() | selectattr('name', 'equalto', 'int_settings') | first %}
    {% if settings and not rules['var base_currency'] and var('base_currency') %}
        {% set found = run_query('select max(base_currency) from ' ~ settings.relation_name)[0][0] %}
        {% do rules.update({'var base_currency': found or var('base_currency')}) %}
    {% endif %}
    {{ return(rules) }}
{% endmacro %}

{#- The last run that finished; none before the first. -#}
{% macro last_finished_run() %}
    {% set found = run_query(
        'select run_number, rules, code_hash from ops.runs where finished_at is not null order by run_number desc limit 1'
    ) %}
    {{ return(found[0] if found else none) }}
{% endmacro %}

{#- Hash of whatever gives an incremental model its rows: its SQL, that of views, the macros, the raw contract, the reader of the
    lake. -#}
{% macro code_hash() %}
    {% set parts = [run_query('select code_hash from ops.code')[0][0]] %}
    {% for node in incremental_models() + views_between() %} {% do parts.append(node.checksum.checksum) %} {% endfor %}
    {{ return(local_md5(parts | join(','))) }}
{% endmacro %}

{#- A text as an SQL literal. -#}
{% macro as_text(text) %} {{ return("'" ~ (text | replace("'", "''")) ~ "'") }} {% endmacro %}
