{#- Stops the build where rows of a seed cannot mean what they say, with a message that names the seed, each such row as it
    stands in the file, and what is wrong with it. It runs right after the seed, before anything reads it.
      rules        what is said of a row that breaks it: the condition that must be true (null is not)
      names        columns that hold a name in lower_snake_case
      patterns     columns that hold a regular expression
      closed_list  columns that name a raw table, one of its columns with a closed list, a word of that list or other, and what
                   is read as it: no other word of that list, since a known word stays what it is
      events       columns that name an event: one of our words, or one of seed event_names; empty is fine
      more_events  what such a column may say besides
      more_names   [seed, column, condition] of names that such a column may hold besides
      filters      columns that hold a filter: empty, or conditions `name op value` joined by ` and `
      unique_by    expressions that no two rows share
      needs        what is said of a file that breaks it: the condition on all its rows, an aggregate, that must be true -#}
{% test seed_rows(model, rules={}, names=[], patterns=[], closed_list=[], events=[], more_events=[], more_names=[], filters=[], unique_by=[], needs={}) %}
{%- set columns = adapter.get_columns_in_relation(model) -%}
{%- set lists = [] -%}
{%- set known = [] -%}
{%- set others = [] -%}
{%- for table in (graph.sources.values() if execute else []) -%}
    {%- for column in table.columns.values() if column.config.meta.words -%}
        {%- do lists.append(table.name ~ '.' ~ column.name) -%}
        {%- for word in column.config.meta.words -%}
            {%- do known.append(table.name ~ '.' ~ column.name ~ '=' ~ word) -%}
        {%- endfor -%}
        {%- do others.append(table.name ~ '.' ~ column.name ~ '=other') -%}
    {%- endfor -%}
{%- endfor -%}

with judged as (

    select
        concat_ws(','
            {%- for column in columns %}, coalesce(cast({{ column.name }} as varchar), ''){% endfor -%}
        ) as row_text,
        case
            {%- for column in columns if column.is_string() and column.name not in patterns %}
            when {{ column.name }} <> trim({{ column.name }})
                then '{{ column.name }} begins or ends with a blank'
            {%- endfor %}
            {%- if closed_list %}
            {%- set list = closed_list[:2] | join(" || '.' || ") %}
            when coalesce({{ list }}, '') not in ('{{ lists | join("', '") }}')
                then '{{ closed_list[:2] | join(' and ') }} name no column with a closed list'
            when coalesce({{ list }} || '=' || {{ closed_list[2] }}, '') not in ('{{ (known + others) | join("', '") }}')
                then '{{ closed_list[2] }} is no word of that list'
            when {{ list }} || '=' || lower({{ closed_list[3] }}) in ('{{ known | join("', '") }}') and lower({{ closed_list[3] }}) <> {{ closed_list[2] }}
                then '{{ closed_list[3] }} is a word of that list, and stays what it is'
            {%- endif %}
            {%- for name in names %}
            when not coalesce({{ matches_pattern(name, "'^[a-z][a-z0-9_]*$'") }} and {{ name }} = lower({{ name }}), false)
                then '{{ name }} is no name in lower_snake_case'
            {%- endfor %}
            {%- for pattern in patterns %}
            when not {{ is_pattern(pattern) }} then '{{ pattern }} is no regular expression'
            {%- endfor %}
            {%- for name in events %}
            when {{ name }} not in ('{{ (event_words() + more_events) | join("', '") }}')
                and {{ name }} not in (select event_name from {{ ref('event_names') }} where event_name is not null)
                {%- if more_names %}
                and {{ name }} not in (select {{ more_names[1] }} from {{ more_names[0] }} where {{ more_names[2] }})
                {%- endif %}
                then '{{ name }} is no event: list it in seed event_names'
            {%- endfor %}
            {%- for name in filters %}
            when {{ matches_pattern(name, "'(?:^| and ) *email *[=!<>]'") }}
                then '{{ name }} may not look at email: no rule holds an address, and only its hash is kept'
            when {{ is_wrong_filter(name) }}
                then '{{ name }} is not made of conditions `name op value` joined by ` and `, of columns of events or properties.key'
            {%- endfor %}
            {%- for mistake, condition in rules.items() %}
            when not coalesce({{ condition }}, false) then '{{ mistake }}'
            {%- endfor %}
            {%- if unique_by %}
            when count(*) over (partition by {{ unique_by | join(', ') }}) > 1
                then 'another row has the same {{ unique_by | join(', ') }}'
            {%- endif %}
        end as mistake
    from {{ model }}

),

lines as (

    select row_text || ': ' || mistake as line
    from judged
    where mistake is not null
    {%- for mistake, condition in needs.items() %}
    union all
    select '{{ mistake }}' as line
    from {{ model }}
    having not coalesce({{ condition }}, false)
    {%- endfor %}

),

report as (

    select string_agg(line, '; ' order by line) as mistakes
    from lines

)

select mistakes
from report
where {{ stop_with("'seed " ~ model.identifier ~ ": ' || mistakes") }}

{% endtest %}
