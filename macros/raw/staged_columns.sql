{#- The columns of a staging model: what lies after as_of reads as empty, words of closed lists are known words, e-mails
    are hashed. `overrides` gives further SQL by column name; null leaves a column out. -#}
{% macro staged_columns(contract, overrides={}) %}
    {%- for column in contract.columns %}
        {%- set name = column.name -%}
        {%- if name in overrides %}
            {%- if overrides[name] %}
    {{ overrides[name] }} as {{ name }},
            {%- endif %}
        {%- elif column.meta.personal == 'email' %}
    {{ hash_email(name) }} as {{ name }}_hash,
        {%- elif column.meta.words %}
    {{ known_word(column) }} as {{ name }},
        {%- elif column.meta.happened == 'later' %}
    {{ known_at_as_of(name, name) }} as {{ name }},
        {%- elif column.meta.dated_by %}
    {{ known_at_as_of(name, column.meta.dated_by) }} as {{ name }},
        {%- else %}
    {{ name }},
        {%- endif %}
    {%- endfor %}
    row_bucket,
    quarantine_reason,
    case when quarantine_reason is not null then row_key end as row_key,
    raw_row,
    quarantine_id
{%- endmacro %}

{#- A value, or null where the time that dates it lies after var as_of. -#}
{% macro known_at_as_of(expression, dated_by) -%}
    {%- if var('as_of') -%}
        case when {{ dated_by }} > {{ moment(var('as_of')) }} then null else {{ expression }} end
    {%- else -%} {{ expression }}
    {%- endif -%}
{%- endmacro %}

{#- Whether the row happened after var as_of. Unset, as_of is the newest time of all, and nothing lies after it. -#}
{% macro is_after_as_of(contract) -%}
    {%- set happened = [] -%}
    {%- for column in contract.columns if column.meta.happened == 'start' or
        (column.meta.happened and contract.name == 'deliveries') -%}
        {%- do happened.append(column.name) -%}
    {%- endfor -%}
    {%- if var('as_of') and happened -%}
        coalesce(coalesce({{ happened | join(', ') }}, null) > {{ moment(var('as_of')) }}, false)
    {%- else -%} false
    {%- endif -%}
{%- endmacro %}

{#- A word of a closed list: as it is when known, by seed value_map (joined by mapped_words) when listed there, else 'other'. -#}
{% macro known_word(column) -%}
    case
        when {{ column.name }} is null
            then {{ "'" ~ column.meta.default ~ "'" if column.meta.default else 'cast(null as varchar)' }}
        when lower({{ column.name }}) in ('{{ column.meta.words | join("', '") }}') then lower({{ column.name }})
        else coalesce({{ column.name }}_words.mapped_word, 'other')
    end
{%- endmacro %}

{#- Joins of `value_map` (as the model imports it), one for each closed list of the table. -#}
{% macro mapped_words(contract, relation='bucketed') -%}
    {%- for column in contract.columns if column.meta.words %}
    left join (
        select
            lower(source_value) as source_word,
            max(value) as mapped_word
        from value_map
        where table_name = '{{ contract.name }}' and column_name = '{{ column.name }}'
        group by lower(source_value)
    ) as {{ column.name }}_words on lower({{ relation }}.{{ column.name }}) = {{ column.name }}_words.source_word
    {%- endfor %}
{%- endmacro %}
