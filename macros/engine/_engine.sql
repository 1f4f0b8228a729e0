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
    case
        when typeof({{ expression }}) = 'TIMESTAMP' then try_cast({{ expression }} as timestamp)
        else timezone('UTC', try_cast(trim(cast({{ expression }} as varchar)) as timestamptz))
    end
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

{#- Whether a text is a regular expression. -#}
{% macro is_pattern(text) %}{{ return(adapter.dispatch('is_pattern')(text)) }}{% endmacro %}
{% macro duckdb__is_pattern(text) %}try(regexp_matches('', {{ text }})) is not null{% endmacro %}

{#- One row per day (date_day) between two date columns of a relation of one row; none where a bound is null. -#}
{% macro days_between(relation, first, last) %}
    {{- return(adapter.dispatch('days_between')(relation, first, last)) -}}
{% endmacro %}
{% macro duckdb__days_between(relation, first, last) -%}
    select cast(unnest(generate_series({{ first }}, {{ last }}, interval '1' day)) as date) as date_day
    from {{ relation }}
{%- endmacro %}

{#- One row per row of a relation and whole number (column `number`) from 0 to one of its columns. -#}
{% macro numbers_up_to(relation, last) %}
    {{- return(adapter.dispatch('numbers_up_to')(relation, last)) -}}
{% endmacro %}
{% macro duckdb__numbers_up_to(relation, last) -%}
    select
        {{ relation }}.*,
        unnest(generate_series(0, {{ last }})) as number
    from {{ relation }}
{%- endmacro %}

{#- Day of the week, Monday 1 to Sunday 7. -#}
{% macro iso_day_of_week(expression) %}{{ return(adapter.dispatch('iso_day_of_week')(expression)) }}{% endmacro %}
{% macro duckdb__iso_day_of_week(expression) %}isodow({{ expression }}){% endmacro %}

{#- Aggregate: a sorted list of the values. -#}
{% macro sorted_list(expression) %}{{ return(adapter.dispatch('sorted_list')(expression)) }}{% endmacro %}
{% macro duckdb__sorted_list(expression) %}list({{ expression }} order by {{ expression }}){% endmacro %}

{#- Clock hours between two timestamps, fractions included. -#}
{% macro hours_between(start, end) %}{{ return(adapter.dispatch('hours_between')(start, end)) }}{% endmacro %}
{% macro duckdb__hours_between(start, end) -%}
    date_diff('microsecond', {{ start }}, {{ end }}) / 3600000000.0
{%- endmacro %}
