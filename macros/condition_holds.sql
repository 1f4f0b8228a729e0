{#- Whether an event fulfils a condition of filter_conditions. Numbers are compared as numbers, all else as text; what is
    empty fulfils nothing. `name` is a column of events, or a key of its JSON properties. -#}
{% macro condition_holds(conditions, events) -%}
    {%- set name = conditions ~ '.condition_name' -%}
    {%- set value = conditions ~ '.condition_value' -%}
    {%- set found -%}
        case {{ name }}
            {%- for column in filter_columns() %} when '{{ column }}' then cast({{ events }}.{{ column }} as varchar) {%- endfor %}
            else {{ json_text(events ~ '.properties', "substr(" ~ name ~ ", 12)") }}
        end
    {%- endset -%}
    coalesce(case {{ conditions }}.condition_operator
        {%- for operator in ['=', '!=', '<', '<=', '>', '>='] %}
        when '{{ operator }}' then coalesce(
            try_cast({{ found }} as double) {{ operator | replace('!=', '<>') }} try_cast({{ value }} as double),
            {{ found }} {{ operator | replace('!=', '<>') }} {{ value }}
        )
        {%- endfor %}
    end, false)
{%- endmacro %}
