{#- The contract of one raw table, from the sources' YAML: key, row rules and columns in their order. -#}
{% macro raw_contract(source_name, table_name) %}
    {% if not execute %}
        {{ return({'name': table_name, 'source': source_name, 'key': [], 'columns': [], 'meta': {}}) }}
    {% endif %}
    {% set found = graph.sources.values()
        | selectattr('source_name', 'equalto', source_name) | selectattr('name', 'equalto', table_name) | list %}
    {% if found | length != 1 %}
        {{ exceptions.raise_compiler_error('the raw contract has no table ' ~ source_name ~ '.' ~ table_name) }}
    {% endif %}
    {% set table_meta = found[0].config.meta %}
    {% set columns = [] %}
    {% for column in found[0].columns.values() %}
        {% do columns.append({'name': column.name, 'type': column.data_type, 'meta': column.config.meta}) %}
    {% endfor %}
    {% do columns.append({'name': '_loaded_at', 'type': 'timestamp', 'meta': {}}) %}
    {{ return({
        'name': table_name, 'source': source_name, 'key': table_meta.key, 'columns': columns, 'meta': table_meta
    }) }}
{% endmacro %}
