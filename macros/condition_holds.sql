{#- Whether an event fulfils a condition of filter_conditions. Numbers are compared as numbers, all else, and identifiers, as
    text; what is empty fulfils nothing, and what is no number is neither above nor below one. `name` is a column of events,
    or a key of its JSON properties. -#}
{% macro condition_holds(conditions, events) -%}
    {%- set name = conditions ~ '.condition_name' -%}
    {%- set value = conditions ~ '.condition_value' -%}
    {%- set found -%}
        case {{ name }}
            {%- for column in filter_columns() %} when '{{ column }}' then cast({{ events }}.{{ column }} as varchar) {%- endfor %}
            else {{ json_text(events ~ '.properties', "substr(" ~ name ~ ", 12)") }}
        end
    {%- endset -%}
    {%- set number -%}
        case when {{ name }} not in ('event_id', 'anonymous_id', 'customer_id', 'product_id', 'cart_id', 'order_id', 'element_id')
            then try_cast({{ found }} as double)
        end
    {%- endset -%}
    coalesce(case {{ conditions }}.condition_operator
        {%- for operator, sql in [('=', '='), ('!=', '<>')] %}
        when '{{ operator }}' then coalesce(
            {{ number }} {{ sql }} try_cast({{ value }} as double), {{ found }} {{ sql }} {{ value }}
        )
        {%- endfor %}
        {%- for operator in ['<', '<=', '>', '>='] %}
        when '{{ operator }}' then case
            when try_cast({{ value }} as double) is null then {{ found }} {{ operator }} {{ value }}
            else {{ number }} {{ operator }} try_cast({{ value }} as double)
        end
        {%- endfor %}
    end, false)
{%- endmacro %}
