{#- One raw column in its contract type; null where it is empty or does not cast. Reads text and native types alike.
    Nearly all text stands as it should: to look is cheaper than to trim. -#}
{% macro cast_raw(column) %}
    {%- set name = column.name -%}
    {%- set plain = "cast(" ~ name ~ " as varchar)" -%}
    {%- set text = "nullif(" ~ trimmed(plain) ~ ", '')" -%}
    {%- if column.meta.spelled -%}
        {%- set words -%}
            case lower(trim(cast({{ name }} as varchar)))
            {%- for word, number in column.meta.spelled.items() %} when '{{ word }}' then '{{ number }}' {%- endfor %}
            else cast({{ name }} as varchar) end
        {%- endset -%}
        {{- cast_whole(words) -}}
    {%- elif column.meta.personal == 'url' -%}
        case when {{ is_untrimmed(name, with_breaks=true) }} then {{ strip_url(text) }} else {{ strip_url(plain) }} end
    {%- elif name == 'currency' -%}
        upper({{ text }})
    {%- elif column.type == 'string' and name.endswith('_id') -%}
        case
            when {{ name }} like '%.0%' or {{ is_untrimmed(name, with_breaks=true) }} then {{ whole_float_as_integer(text) }}
            else {{ name }}
        end
    {%- elif column.type == 'string' -%}
        case when {{ is_untrimmed(name) }} then {{ text }} else {{ name }} end
    {%- elif column.type == 'json' -%}
        case when {{ is_untrimmed(name, with_breaks=true) }} then {{ json_or_null(text) }} else {{ json_or_null(plain) }} end
    {%- elif column.type == 'integer' -%} {{ cast_whole(name) }}
    {%- elif column.type == 'decimal' -%} try_cast({{ name }} as decimal(18, 6))
    {%- elif column.type == 'double' -%} {{ finite_or_null('try_cast(' ~ name ~ ' as double)') }}
    {%- elif column.type == 'boolean' -%} try_cast({{ whole_float_as_integer(text) }} as boolean)
    {%- elif column.type == 'date' -%} {{ cast_date(name) }}
    {%- elif column.type == 'timestamp' -%} {{ utc_timestamp(name) }}
    {%- else -%}
        {{ exceptions.raise_compiler_error('column ' ~ name ~ ' has the unknown type ' ~ column.type) }}
    {%- endif -%}
{% endmacro %}

{#- A whole number as bigint: '12' and '12.0' are 12, '12.6' does not cast. -#}
{% macro cast_whole(expression) -%}
    case
        when try_cast({{ expression }} as decimal(18, 6)) = floor(try_cast({{ expression }} as decimal(18, 6)))
            then cast(try_cast({{ expression }} as decimal(18, 6)) as bigint)
    end
{%- endmacro %}

{#- A date, or the day that a time is written with. The cast to a date alone reads '2024-01-15xyz' as well, and years of which
    there are no times. -#}
{% macro cast_date(expression) -%}
    case
        when {{ utc_timestamp(expression) }} is not null and try_cast({{ expression }} as date) <= cast('9999-12-31' as date)
            then try_cast({{ expression }} as date)
    end
{%- endmacro %}

{#- One column of the contract, cast, by its name. -#}
{% macro raw_column(contract, name) -%}
    {%- for column in contract.columns if column.name == name -%} {{ cast_raw(column) }} {%- else -%} null {%- endfor -%}
{%- endmacro %}
