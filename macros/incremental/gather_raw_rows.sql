{#- A pre-hook of a staging model: sets aside, in a temporary table, every raw row whose key has a row in a new file or one
    that the passing of time may judge anew; whole files are read only where they hold such a key. -#}
{% macro gather_raw_rows(source_name, table_name) %}
    {% if not execute or not is_incremental() %} {{ return('') }} {% endif %}
    {% set contract = raw_contract(source_name, table_name) %}
    {% set view = 'raw_' ~ source_name ~ '.' ~ table_name %}
    {% set entity = source_name ~ '.' ~ table_name %}
    {% set raw_key = "coalesce(" ~ raw_row_key(contract) ~ ", '')" %}
    {% set stored_key = "coalesce(" ~ contract.key[0] ~ ", '')" %}
    {% set new_files = run_query(
        'select files.location from raw_lake.files inner join ops.files as noted on files.path = noted.path'
        ~ " where files.source_name || '.' || files.table_name = '" ~ entity ~ "' and noted.run_number > ("
        ~ 'select max(run_number) from ops.runs where finished_at is not null)'
    ).columns[0].values() | list %}
    {% do run_query(
        "insert into ops.touched select '" ~ entity ~ "', entity_key, '" ~ this.name ~ "' from ("
        ~ 'select ' ~ raw_key ~ ' as entity_key from ' ~ view ~ ' where ' ~ is_in_files(new_files)
        ~ ' union select ' ~ stored_key ~ ' from ' ~ this
        ~ " where row_bucket = 'after_as_of' or quarantine_reason like 'implausible_time%') as found"
    ) %}
    {% set old_files = run_query(
        'select distinct _file from ' ~ view ~ ' where ' ~ touched(entity, raw_key) ~ ' and ' ~ raw_key
        ~ ' in (select ' ~ stored_key ~ ' from ' ~ this ~ ' where ' ~ touched(entity, stored_key) ~ ')'
    ).columns[0].values() | list %}
    create or replace temp table {{ this.name }}__raw as
    select * from {{ view }} where {{ is_in_files(new_files + old_files) }} and {{ touched(entity, raw_key) }}
{% endmacro %}

{#- Whether a raw row stands in one of some files: constants, so that other files are not opened. -#}
{% macro is_in_files(locations) -%}
    {%- set texts = [] -%}
    {%- for location in locations %} {%- do texts.append(as_text(location) | trim) -%} {%- endfor -%}
    {%- if texts -%} _file in ({{ texts | join(', ') }}) {%- else -%} false {%- endif -%}
{%- endmacro %}

{#- The raw rows that a staging model reads: all, or those that gather_raw_rows() has set aside. -#}
{% macro raw_rows(view) -%}
    {%- if is_by_touch() -%} {{ this.name }}__raw {%- else -%} {{ view }} {%- endif -%}
{%- endmacro %}
