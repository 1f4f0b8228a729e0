{#- Hash of what the numbers mean: settings and seeds. as_of is measured, and identity_exclusions is data; the gates'
    limit changes no row. -#}
{% macro settings_hash() %}
    {% if not execute %} {{ return('') }} {% endif %}
    {% set parts = [] %}
    {% for name in setting_names() if name not in ['as_of', 'quarantine_share_max'] %}
        {% do parts.append(name ~ '=' ~ var(name)) %}
    {% endfor %}
    {% for node in graph.nodes.values() | sort(attribute='name')
        if node.resource_type == 'seed' and node.name != 'identity_exclusions' %}
        {% do parts.append(node.name ~ '=' ~ node.checksum.checksum) %}
    {% endfor %}
    {{ return(local_md5(parts | join(';'))) }}
{% endmacro %}
