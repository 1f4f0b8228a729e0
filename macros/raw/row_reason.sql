{#- Why a row is set aside, by its own values, as '<code>: <what>'; null for a good row. The first that applies wins,
    in the order of the codes; `more` holds further [code, condition, what] of the table. -#}
{% macro row_reason(contract, more=[]) -%}
    case
    {%- for code, condition, what in row_rules(contract) + more %}
        when {{ condition }} then '{{ code }}: {{ what }}'
    {%- endfor %}
    end
{%- endmacro %}

{#- The rules that follow from the contract, as [code, condition, what], in the order of the codes. -#}
{% macro row_rules(contract) -%}
    {%- set rules = {'required_empty': [], 'cast_failed': [], 'negative': [], 'out_of_range': [],
        'end_before_start': [], 'implausible_time': []} -%}
    {%- for column in contract.columns -%}
        {%- set name = column.name -%}
        {%- set meta = column.meta -%}
        {%- if meta.required and column.type == 'string' -%}
            {%- do rules.required_empty.append([name ~ ' is null', name ~ ' is empty']) -%}
        {%- elif meta.required -%}
            {%- do rules.required_empty.append([name ~ ' is null and not ' ~ did_not_cast(column), name ~ ' is empty']) -%}
        {%- endif -%}
        {%- if column.type != 'string' and not meta.lenient -%}
            {%- do rules.cast_failed.append([did_not_cast(column), name ~ ' is no ' ~ column.type]) -%}
        {%- endif -%}
        {%- if meta.max is defined -%}
            {%- do rules.out_of_range.append([name ~ ' not between ' ~ meta.min ~ ' and ' ~ meta.max,
                name ~ ' is not between ' ~ meta.min ~ ' and ' ~ meta.max]) -%}
        {%- elif meta.above is defined -%}
            {%- do rules.out_of_range.append([name ~ ' <= ' ~ meta.above, name ~ ' is not above ' ~ meta.above]) -%}
        {%- elif meta.min is defined or (column.type == 'decimal' and not contract.meta.may_be_negative) -%}
            {%- do rules.negative.append([name ~ ' < 0', name ~ ' is negative']) -%}
        {%- endif -%}
        {%- if meta.not_before -%}
            {%- do rules.end_before_start.append([name ~ ' < ' ~ meta.not_before, name ~ ' is before ' ~ meta.not_before]) -%}
        {%- endif -%}
        {#- a year of two digits is read as one of the first century -#}
        {%- if column.type == 'date' -%}
            {%- do rules.implausible_time.append([is_too_early(name), name ~ ' is too early to be true']) -%}
        {%- endif -%}
        {%- if meta.happened -%}
            {%- do rules.implausible_time.append([is_implausible(contract, name), name ~ ' is too early or too late to be true']) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if contract.meta.one_of -%}
        {%- do rules.required_empty.append([contract.meta.one_of | join(' is null and ') ~ ' is null',
            contract.meta.one_of | join(' and ') ~ ' are empty']) -%}
    {%- endif -%}
    {%- set ordered = [] -%}
    {%- for code, found in rules.items() -%}
        {%- for condition, what in found -%} {%- do ordered.append([code, condition, what]) -%} {%- endfor -%}
    {%- endfor -%}
    {{- return(ordered) -}}
{%- endmacro %}

{#- Whether a time lies before var earliest_plausible_at, or more than a day after the row's own receipt or after
    var latest_plausible_at (unset: the clock). -#}
{% macro is_implausible(contract, column) -%}
    {%- set latest = ['_loaded_at'] -%}
    {%- if contract.columns | selectattr('name', 'equalto', 'received_at') | list -%}
        {%- do latest.append('received_at') -%}
    {%- endif -%}
    {%- do latest.append(moment(var('latest_plausible_at')) if var('latest_plausible_at') else clock_time()) -%}
    ({{ is_too_early(column) }}
    {%- for limit in latest %} or {{ column }} > {{ limit }} + interval '1' day {%- endfor -%}
    )
{%- endmacro %}

{#- Whether a time or a date lies before var earliest_plausible_at. -#}
{% macro is_too_early(column) -%}
    {{ column }} < {{ utc_timestamp("'" ~ var('earliest_plausible_at') ~ "'") }}
{%- endmacro %}
