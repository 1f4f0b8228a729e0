{#- Notes the seeds that a command loaded, by the checksum of their files. -#}
{% macro note_seeds(results) %}
    {% set rows = [] %}
    {% for result in results if result.node.resource_type == 'seed' and result.status == 'success' %}
        {% do rows.append('(' ~ as_text(result.node.name) ~ ', ' ~ as_text(result.node.checksum.checksum) ~ ')') %}
    {% endfor %}
    {% if not execute or not rows %} {{ return('') }} {% endif %}
    create or replace temp table loaded_seeds as
    select * from (values {{ rows | join(', ') }}) as loaded (seed_name, checksum);
    delete from ops.seeds where seed_name in (select loaded_seeds.seed_name from loaded_seeds);
    insert into ops.seeds select * from loaded_seeds
{% endmacro %}

{#- Stops a run that would take seeds of which another version is loaded than stands in the files, while it noted that of the
    files. What the run itself loads is of the files; of what nobody noted nothing is known. -#}
{% macro stop_at_unloaded_seeds() %}
    {% set lines = [] %}
    {% set noted = {} %}
    {% for row in run_query('select seed_name, checksum from ops.seeds') %} {% do noted.update({row.seed_name: row.checksum}) %} {% endfor %}
    {% for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'seed') | sort(attribute='name')
        if node.unique_id not in selected_resources and noted.get(node.name, node.checksum.checksum) != node.checksum.checksum %}
        {% do lines.append('seed ' ~ node.name ~ ' stands otherwise in its file than it was loaded') %}
    {% endfor %}
    {% if lines %} {{ exceptions.raise_compiler_error(lines | join('\n') ~ '\nLoad it: dbt seed, or set the file back') }} {% endif %}
{% endmacro %}
