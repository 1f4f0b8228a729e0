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

{#- A number or its text as one text: '7.5' for 7.5, '7.500000' and the decimal 7.50. A double reads with the places that a view of
    text gives it beside files of other types (DECIMAL_TEXT of lake.py). -#}
{% macro number_text(expression) %}{{ return(adapter.dispatch('number_text')(expression)) }}{% endmacro %}
{% macro duckdb__number_text(expression) -%}
    {%- set text -%}
        coalesce(
            case when typeof({{ expression }}) = 'DOUBLE' then cast(try_cast({{ expression }} as decimal(18, 6)) as varchar) end,
            cast({{ expression }} as varchar)
        )
    {%- endset -%}
    regexp_replace({{ trimmed(text) }}, '^(-?[0-9]+)(?:[.]0*|([.][0-9]*[1-9])0*)$', '\1\2')
{%- endmacro %}

{#- A timestamp in UTC from text (with or without offset) or from a native type; null where it does not cast. -#}
{% macro utc_timestamp(expression) %}{{ return(adapter.dispatch('utc_timestamp')(expression)) }}{% endmacro %}
{% macro duckdb__utc_timestamp(expression) -%}
    {%- set text = "cast(" ~ expression ~ " as varchar)" -%}
    case
        when typeof({{ expression }}) = 'TIMESTAMP' then try_cast({{ expression }} as timestamp)
        else timezone('UTC', coalesce(
            try_cast(trim({{ text }}) as timestamptz),
            try_cast({{ plain_offset(trimmed(text)) }} as timestamptz)
        ))
    end
{%- endmacro %}

{#- A time with its offset as the cast wants it: with seconds, no t and z in small, no blank before the offset, and after it no
    name of the zone, as in +01:00[Europe/Berlin] and +0100 CET. -#}
{% macro plain_offset(text) %}{{ return(adapter.dispatch('plain_offset')(text)) }}{% endmacro %}
{% macro duckdb__plain_offset(text) -%}
    {%- set with_t = "regexp_replace(" ~ text ~ ", '^([0-9-]+)t', '\\1T')" -%}
    regexp_replace(
        regexp_replace({{ with_t }}, '^([^:]+:[0-9]{2}) *([-+zZ])', '\1:00\2'),
        '^(.+:[0-9]{2}(?:[.][0-9]+)?) *(?:[zZ]|([-+][0-9:]+))(?:[[][^]]+[]]| (?:[A-Z]+|[-+][0-9]+))?$', '\1\2'
    )
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

{#- A text without blanks, tabs and line breaks around it. -#}
{% macro trimmed(text) %}{{ return(adapter.dispatch('trimmed')(text)) }}{% endmacro %}
{% macro duckdb__trimmed(text) %}trim(trim({{ text }}), ' ' || chr(9) || chr(10) || chr(13)){% endmacro %}

{#- Whether a text is empty or may have such around it: nothing that is seen sorts before '!'. Line breaks after it are looked
    for where asked, as in identifiers, which are joined by. -#}
{% macro is_untrimmed(text, with_breaks=false) %}{{ return(adapter.dispatch('is_untrimmed')(text, with_breaks)) }}{% endmacro %}
{% macro duckdb__is_untrimmed(text, with_breaks) -%}
    {%- set varchar = "cast(" ~ text ~ " as varchar)" -%}
    {{ varchar }} < '!'
    {%- for code in [32] + ([10, 13, 9] if with_breaks else []) %} or suffix({{ varchar }}, chr({{ code }})) {%- endfor -%}
{%- endmacro %}

{#- Keyed hash of a normalised e-mail, as long as hashed_id(). The key is a variable of the connection, never text in SQL. -#}
{% macro hash_email(expression) %}{{ return(adapter.dispatch('hash_email')(expression)) }}{% endmacro %}
{% macro duckdb__hash_email(expression) -%}
    case
        when {{ expression }} is not null
            then left(sha256(getvariable('cx_pii_key') || ':' || lower({{ trimmed(expression) }})), 20)
    end
{%- endmacro %}

{#- A URL without fragment, its query reduced to the parameters of var marketing_parameters. -#}
{% macro strip_url(text) %}{{ return(adapter.dispatch('strip_url')(text)) }}{% endmacro %}
{% macro duckdb__strip_url(text) -%}
    {%- set stays = '&(?:' ~ var('marketing_parameters') | map('replace', '.', '[.]') | join('|') ~ ')=[^&]*' -%}
    case
        when contains({{ text }}, '?') or contains({{ text }}, '#')
            then regexp_extract({{ text }}, '^[^?#]*') || regexp_replace(
                regexp_replace('&' || regexp_extract({{ text }}, '[?]([^#]*)', 1), '({{ stays }})|&[^&]*', '\1', 'g'), '^&', '?'
            )
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

{#- A number, 0 or more, that tells texts apart within one run: 63 bits. The order by it means nothing, and another version of
    DuckDB may give another. -#}
{% macro text_as_number(text) %}{{ return(adapter.dispatch('text_as_number')(text)) }}{% endmacro %}
{% macro duckdb__text_as_number(text) %}cast(hash({{ text }}) >> 1 as bigint){% endmacro %}

{#- After `as`: a step that is read twice is worked out twice, which costs less than keeping a wide table aside. -#}
{% macro not_materialized() %}{{ return(adapter.dispatch('not_materialized')()) }}{% endmacro %}
{% macro duckdb__not_materialized() %}not materialized{% endmacro %}

{#- The path of a URL, without scheme, host, query and fragment; '/' for a host alone. Takes a path alone as well. -#}
{% macro url_path(url) %}{{ return(adapter.dispatch('url_path')(url)) }}{% endmacro %}
{% macro duckdb__url_path(url) -%}
    case
        when {{ url }} is not null
            then coalesce(nullif(regexp_extract({{ url }}, '^(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?(?://[^/?#]*)?([^?#]*)', 1), ''), '/')
    end
{%- endmacro %}

{#- The host of a URL in lower case, without port and leading www; null where there is none. -#}
{% macro url_host(url) %}{{ return(adapter.dispatch('url_host')(url)) }}{% endmacro %}
{% macro duckdb__url_host(url) -%}
    nullif(regexp_extract(lower({{ url }}), '^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(?:www[.])?([^/?#:]*)', 1), '')
{%- endmacro %}

{#- The value of a parameter in the query of a URL, decoded, or as it stands where it is no UTF-8; null where there is none. -#}
{% macro url_parameter(url, name) %}{{ return(adapter.dispatch('url_parameter')(url, name)) }}{% endmacro %}
{% macro duckdb__url_parameter(url, name) -%}
    {%- set text = "replace(regexp_extract(" ~ url ~ ", '[?&]" ~ name ~ "=([^&#]*)', 1), '+', ' ')" -%}
    nullif(trim(coalesce(try(url_decode({{ text }})), {{ text }})), '')
{%- endmacro %}

{#- What a group of a regular expression found in a text; empty where it found nothing. -#}
{% macro pattern_group(text, pattern, number) %}{{ return(adapter.dispatch('pattern_group')(text, pattern, number)) }}{% endmacro %}
{% macro duckdb__pattern_group(text, pattern, number) %}regexp_extract({{ text }}, '{{ pattern }}', {{ number }}){% endmacro %}

{#- The value of a key (an SQL expression) of a JSON object, as text. -#}
{% macro json_text(json, key) %}{{ return(adapter.dispatch('json_text')(json, key)) }}{% endmacro %}
{% macro duckdb__json_text(json, key) %}json_extract_string({{ json }}, '$."' || {{ key }} || '"'){% endmacro %}

{#- One row per part of a text column that a separator divides; none where it is empty. -#}
{% macro split_rows(relation, text, separator, name) %}
    {{- return(adapter.dispatch('split_rows')(relation, text, separator, name)) -}}
{% endmacro %}
{% macro duckdb__split_rows(relation, text, separator, name) -%}
    select *, unnest(string_split({{ text }}, '{{ separator }}')) as {{ name }} from {{ relation }}
{%- endmacro %}

{#- Whether every part of a text that a separator divides matches a regular expression; null where the text is. -#}
{% macro every_part_matches(text, separator, pattern) %}
    {{- return(adapter.dispatch('every_part_matches')(text, separator, pattern)) -}}
{% endmacro %}
{% macro duckdb__every_part_matches(text, separator, pattern) -%}
    list_bool_and(list_transform(
        string_split({{ text }}, '{{ separator }}'), lambda part: regexp_matches(part, '{{ pattern }}')
    ))
{%- endmacro %}

{#- Seconds between two timestamps, fractions included. -#}
{% macro seconds_between(start, end) %}{{ return(adapter.dispatch('seconds_between')(start, end)) }}{% endmacro %}
{% macro duckdb__seconds_between(start, end) -%}
    date_diff('microsecond', {{ start }}, {{ end }}) / 1000000.0
{%- endmacro %}

{#- Clock hours between two timestamps, fractions included. -#}
{% macro hours_between(start, end) %}{{ return(adapter.dispatch('hours_between')(start, end)) }}{% endmacro %}
{% macro duckdb__hours_between(start, end) -%}
    date_diff('microsecond', {{ start }}, {{ end }}) / 3600000000.0
{%- endmacro %}

{#- A text whose runs of white space are one blank each. -#}
{% macro replaced_blanks(text) %}{{ return(adapter.dispatch('replaced_blanks')(text)) }}{% endmacro %}
{% macro duckdb__replaced_blanks(text) %}regexp_replace({{ text }}, '\s+', ' ', 'g'){% endmacro %}

{#- A hash of columns, equal where all of them are. -#}
{% macro hash_of(columns) %}{{ return(adapter.dispatch('hash_of')(columns)) }}{% endmacro %}
{% macro duckdb__hash_of(columns) %}hash({{ columns | join(', ') }}){% endmacro %}
