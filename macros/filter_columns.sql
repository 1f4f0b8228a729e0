{#- The columns of events that a filter may name: those of the contract, without e-mails. -#}
{% macro filter_columns() -%}
    {%- set names = [] -%}
    {%- for column in raw_contract('web', 'events').columns
        if column.meta.personal != 'email' and not column.name.startswith('_') -%}
        {%- do names.append(column.name) -%}
    {%- endfor -%}
    {{- return(names) -}}
{%- endmacro %}
