{#- Every contract column cast, and beside what can fail to cast its raw value as <name>__raw. -#}
{% macro typed_columns(contract) %}
    {%- for column in contract.columns %}
        {{ cast_raw(column) }} as {{ column.name }},
        {%- if column.type != 'string' %}
        {{ column.name }} as {{ column.name }}__raw,
        {%- endif %}
    {%- endfor %}
{%- endmacro %}

{#- Whether a typed column is null although its raw value holds something. -#}
{% macro did_not_cast(column) -%}
    case
        when {{ column.name }} is null
            then nullif(trim(cast({{ column.name }}__raw as varchar)), '') is not null
        else false
    end
{%- endmacro %}

{#- A typed column as text; where it did not cast, what stood there. -#}
{% macro typed_text(column) -%}
    {%- if column.type == 'string' -%} {{ column.name }}
    {%- else -%}
        coalesce(cast({{ column.name }} as varchar), nullif(trim(cast({{ column.name }}__raw as varchar)), ''))
    {%- endif -%}
{%- endmacro %}

{#- What versions of a row share, as text. -#}
{% macro row_key(contract) -%}
    {%- set parts = [] -%}
    {%- for column in contract.columns if column.name in contract.key -%}
        {%- do parts.append(typed_text(column)) -%}
    {%- endfor -%}
    {%- if parts | length == 1 -%} {{ parts[0] }}
    {%- else -%}
        {%- for part in parts -%} coalesce({{ part }}, ''){{ " || '|' || " if not loop.last }} {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
