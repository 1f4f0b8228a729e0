{#- A var that names a moment, as SQL: a UTC timestamp, or a date, which means the end of that day in the reporting time zone. -#}
{% macro moment(value) -%}
    {%- if (value | string | trim | length) == 10 -%}
        {#- off the wall clock: the hour after may come twice, and midnight be that of the second -#}
        {{ utc_from_reporting_time("timestamp '" ~ (value | string | trim) ~ "' + interval '1' day - interval '1' microsecond") }}
    {%- else -%}
        {{ utc_timestamp("'" ~ (value | string) ~ "'") }}
    {%- endif -%}
{%- endmacro %}
