{#- A typed row as JSON: contract columns after the cast, without nulls and _loaded_at. Masked, it may be kept. -#}
{% macro row_json(contract, is_masked=false) -%}
    {%- set pairs = [] -%}
    {%- for column in contract.columns if column.name != '_loaded_at' -%}
        {%- set text = typed_text(column, is_masked) -%}
        {%- if is_masked and column.meta.personal in ['email', 'text'] -%}
            {%- set text = "case when " ~ column.name ~ " is not null then '***' end" -%}
        {%- endif -%}
        {%- do pairs.append([column.name, text]) -%}
    {%- endfor -%}
    {{- json_object_of(pairs) -}}
{%- endmacro %}

{#- Whether rules across tables may set a row aside that staging changes: words, and what lies after var as_of. -#}
{% macro may_read_otherwise(contract) -%}
    {%- if contract.name in ['orders', 'campaigns'] and var('base_currency') -%} currency <> '{{ var('base_currency') }}'
    {%- elif contract.name == 'deliveries' and var('as_of') -%} delivered_at > {{ moment(var('as_of')) }}
    {%- else -%} false
    {%- endif -%}
{%- endmacro %}

{#- The same of a row of staging, where e-mails are hashed and nothing failed to cast. -#}
{% macro staged_row_json(contract) -%}
    {%- set pairs = [] -%}
    {%- for column in contract.columns if column.name != '_loaded_at' -%}
        {%- if column.meta.personal == 'email' -%}
            {%- set text = "case when " ~ column.name ~ "_hash is not null then '***' end" -%}
        {%- elif column.meta.personal == 'text' -%}
            {%- set text = "case when " ~ column.name ~ " is not null then '***' end" -%}
        {%- else -%}
            {%- set text = "cast(" ~ column.name ~ " as varchar)" -%}
        {%- endif -%}
        {%- do pairs.append([column.name, text]) -%}
    {%- endfor -%}
    {{- json_object_of(pairs) -}}
{%- endmacro %}

{#- What versions of a row share, as text, in a staging model. -#}
{% macro staged_row_key(contract) -%}
    {%- for name in contract.key -%}
        coalesce(cast({{ name }} as varchar), ''){{ " || '|' || " if not loop.last }}
    {%- else -%} ''
    {%- endfor -%}
{%- endmacro %}
