{#- When what a row of staging tells came to be: the newest of the times at which it happened, of its update, and of the end
    of its day. Null where it says none. -#}
{% macro news_time(contract) -%}
    {%- set times = [] -%}
    {%- for column in contract.columns -%}
        {%- if column.meta.happened or column.name == 'updated_at' -%} {%- do times.append(column.name) -%}
        {%- elif column.type == 'date' -%}
            {%- do times.append(utc_from_reporting_time('cast(' ~ column.name ~ " as timestamp) + interval '1' day")) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if times | length > 1 -%} greatest({{ times | join(', ') }})
    {%- else -%} {{ times[0] or 'cast(null as timestamp)' }}
    {%- endif -%}
{%- endmacro %}
