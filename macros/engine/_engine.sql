{#- What DuckDB and Spark spell differently, one macro per difference. A further engine adds its <engine>__ forms. -#}

{#- A JSON object as text from [name, text expression] pairs, nulls left out. -#}
{% macro json_object_of(pairs) %}{{ return(adapter.dispatch('json_object_of')(pairs)) }}{% endmacro %}
{% macro duckdb__json_object_of(pairs) -%}
    cast(json_merge_patch('{}', json_object(
        {%- for name, text in pairs %}'{{ name }}', {{ text }}{{ ', ' if not loop.last }}{% endfor -%}
    )) as varchar)
{%- endmacro %}

{#- The text where it is valid JSON, else null. -#}
{% macro json_or_null(text) %}{{ return(adapter.dispatch('json_or_null')(text)) }}{% endmacro %}
{% macro duckdb__json_or_null(text) %}case when json_valid({{ text }}) then {{ text }} end{% endmacro %}

{#- A double, or null where it is not a number or infinite. -#}
{% macro finite_or_null(expression) %}{{ return(adapter.dispatch('finite_or_null')(expression)) }}{% endmacro %}
{% macro duckdb__finite_or_null(expression) -%}
    case when isfinite({{ expression }}) then {{ expression }} end
{%- endmacro %}

{#- Text '12345.0' as '12345'; anything else as it is. -#}
{% macro whole_float_as_integer(text) %}{{ return(adapter.dispatch('whole_float_as_integer')(text)) }}{% endmacro %}
{% macro duckdb__whole_float_as_integer(text) -%}
    regexp_replace({{ text }}, '^(-?[0-9]+)[.]0+$', '\1')
{%- endmacro %}

{#- A timestamp in UTC from text (with or without offset) or from a native type; null where it does not cast. -#}
{% macro utc_timestamp(expression) %}{{ return(adapter.dispatch('utc_timestamp')(expression)) }}{% endmacro %}
{% macro duckdb__utc_timestamp(expression) -%}
    timezone('UTC', try_cast({{ expression }} as timestamptz))
{%- endmacro %}

{#- A UTC timestamp as the wall clock of the reporting time zone. -#}
{% macro reporting_time(expression) %}{{ return(adapter.dispatch('reporting_time')(expression)) }}{% endmacro %}
{% macro duckdb__reporting_time(expression) -%}
    {%- if var('reporting_timezone') == 'UTC' -%} {{ expression }}
    {%- else -%} timezone('{{ var('reporting_timezone') }}', timezone('UTC', {{ expression }}))
    {%- endif -%}
{%- endmacro %}

{#- A wall clock of the reporting time zone as a UTC timestamp. -#}
{% macro utc_from_reporting_time(expression) %}
    {{- return(adapter.dispatch('utc_from_reporting_time')(expression)) -}}
{% endmacro %}
{% macro duckdb__utc_from_reporting_time(expression) -%}
    timezone('UTC', timezone('{{ var('reporting_timezone') }}', {{ expression }}))
{%- endmacro %}

{#- The clock, as a UTC timestamp. -#}
{% macro clock_time() %}{{ return(adapter.dispatch('clock_time')()) }}{% endmacro %}
{% macro duckdb__clock_time() %}timezone('UTC', now()){% endmacro %}

{#- Keyed hash of a normalised e-mail. The key is a variable of the connection, never text in SQL. -#}
{% macro hash_email(expression) %}{{ return(adapter.dispatch('hash_email')(expression)) }}{% endmacro %}
{% macro duckdb__hash_email(expression) -%}
    case
        when {{ expression }} is not null
            then sha256(getvariable('cx_pii_key') || ':' || lower(trim({{ expression }})))
    end
{%- endmacro %}

{#- A URL without fragment, its query reduced to the parameters of var marketing_parameters. -#}
{% macro strip_url(text) %}{{ return(adapter.dispatch('strip_url')(text)) }}{% endmacro %}
{% macro duckdb__strip_url(text) -%}
    case
        when contains({{ text }}, '?') or contains({{ text }}, '#')
            then regexp_extract({{ text }}, '^[^?#]*') || coalesce('?' || nullif(list_aggregate(list_filter(
                string_split(regexp_extract({{ text }}, '[?]([^#]*)', 1), '&'),
                lambda parameter: regexp_matches(
                    parameter, '^({{ var('marketing_parameters') | join('|') }})='
                )
            ), 'string_agg', '&'), ''), '')
        else {{ text }}
    end
{%- endmacro %}

{#- Stops the build with a message. -#}
{% macro stop_with(message) %}{{ return(adapter.dispatch('stop_with')(message)) }}{% endmacro %}
{% macro duckdb__stop_with(message) %}error({{ message }}){% endmacro %}

{#- Whether a text holds a pattern (regular expression), whatever the case. -#}
{% macro matches_pattern(text, pattern) %}{{ return(adapter.dispatch('matches_pattern')(text, pattern)) }}{% endmacro %}
{% macro duckdb__matches_pattern(text, pattern) %}regexp_matches({{ text }}, {{ pattern }}, 'i'){% endmacro %}
