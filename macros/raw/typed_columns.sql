{#- Every contract column cast, beside what can fail to cast its raw value as <name>__raw, and the key of the row. -#}
{% macro typed_columns(contract) %}
    {%- for column in contract.columns %}
        {{ cast_raw(column) }} as {{ column.name }},
        {%- if column.type != 'string' %}
        {{ column.name }} as {{ column.name }}__raw,
        {%- endif %}
    {%- endfor %}
        {{ raw_row_key(contract) }} as row_key
{%- endmacro %}

{#- Whether a typed column is null although its raw value holds something. -#}
{% macro did_not_cast(column) -%}
    case
        when {{ column.name }} is null
            then nullif({{ trimmed('cast(' ~ column.name ~ '__raw as varchar)') }}, '') is not null
        else false
    end
{%- endmacro %}

{#- What stands in a raw column as text, which is the same whatever the type of the view; null where nothing does. -#}
{% macro raw_text(column, name) -%}
    {%- if column.type in ['integer', 'decimal', 'double'] -%} nullif({{ number_text(name) }}, '')
    {%- else -%} nullif({{ trimmed('cast(' ~ name ~ ' as varchar)') }}, '')
    {%- endif -%}
{%- endmacro %}

{#- What stands where a number, a time or a word of a closed list should; masked where it may be an e-mail. -#}
{% macro masked_address(text) -%}
    case when {{ text }} like '%@%' then '***' else {{ text }} end
{%- endmacro %}

{#- A typed column as text; where it did not cast, what stood there. -#}
{% macro typed_text(column, is_masked=false) -%}
    {%- if column.type == 'string' -%} {{ masked_address(column.name) if is_masked and column.meta.words else column.name }}
    {%- else -%}
        {%- set text = raw_text(column, column.name ~ '__raw') -%}
        coalesce(cast({{ column.name }} as varchar), {{ masked_address(text) if is_masked else text }})
    {%- endif -%}
{%- endmacro %}

{#- What versions of a row share, as text, from raw columns. -#}
{% macro raw_row_key(contract) -%}
    {%- set parts = [] -%}
    {%- for column in contract.columns if column.name in contract.key -%}
        {%- if column.type == 'string' -%} {%- do parts.append(cast_raw(column)) -%}
        {%- else -%}
            {%- do parts.append(
                'coalesce(cast(' ~ cast_raw(column) ~ ' as varchar), ' ~ masked_address(raw_text(column, column.name)) ~ ')'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if parts | length == 1 -%} {{ parts[0] }}
    {%- else -%}
        {%- for part in parts -%} coalesce({{ part }}, ''){{ " || '|' || " if not loop.last }} {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- CTE of the keys that stand in several rows, as numbers, which are counted in half the time of texts: where two keys have
    one, their rows are looked at for nothing. It reads the key's columns alone, so that the others are read once. -#}
{% macro repeated_keys(relation, contract) %}
repeated_keys as (

    select repeated_key
    from (select {{ text_as_number(raw_row_key(contract)) }} as repeated_key from {{ relation }}) as raw_keys
    group by repeated_key
    having count(*) > 1

)
{%- endmacro %}

{#- The join of `repeated_keys` to rows that have a key. -#}
{% macro join_repeated_keys(row_key='typed.row_key') -%}
    left join repeated_keys on {{ text_as_number(row_key) }} = repeated_keys.repeated_key
{%- endmacro %}

{#- Whether further rows share the key of a row of `typed`, or it has none to share. -#}
{% macro is_repeated() -%}
    repeated_keys.repeated_key is not null or typed.row_key is null
{%- endmacro %}
