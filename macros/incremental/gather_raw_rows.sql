{#- A pre-hook of a staging model: sets aside, in a temporary table, every raw row whose key has a row in a new file or one
    that the passing of time may judge anew; other files are read only where they hold such a key. In another, where
    the rows of those keys stand. -#}
{% macro gather_raw_rows(source_name, table_name) %}
    {% if not execute or not is_incremental() %} {{ return('') }} {% endif %}
    {% set contract = raw_contract(source_name, table_name) %}
    {% set view = 'raw_' ~ source_name ~ '.' ~ table_name %}
    {% set entity = source_name ~ '.' ~ table_name %}
    {% set raw_key = "coalesce(" ~ raw_row_key(contract) ~ ", '')" %}
    {% set stored_key = "coalesce(" ~ contract.key[0] ~ ", '')" %}
    {% set new_files = files_to_read(contract) %}
    {% do run_query(
        "insert into ops.touched select '" ~ entity ~ "', entity_key, '" ~ this.name ~ "' from ("
        ~ 'select ' ~ raw_key ~ ' as entity_key from ' ~ view ~ ' where ' ~ is_in_files(new_files)
        ~ ' union select ' ~ stored_key ~ ' from ' ~ this
        ~ " where row_bucket = 'after_as_of' or quarantine_reason like 'implausible_time%') as found"
    ) %}
    {% do run_query(
        'create or replace temp table ' ~ this.name ~ '__stored as select rowid as row_place, ' ~ stored_key
        ~ ' as stored_key from ' ~ this
        ~ ' where ' ~ touched(entity, stored_key)
    ) %}
    {% set old_files = [] %}
    {% if run_query('select count(*) from ' ~ this.name ~ '__stored')[0][0] %}
        {% set old_files = run_query(
            'select distinct _file from ' ~ view ~ ' where not ' ~ is_in_files(new_files) ~ ' and ' ~ raw_key
            ~ ' in (select stored_key from ' ~ this.name ~ '__stored)'
        ).columns[0].values() | list %}
    {% endif %}
    create or replace temp table {{ this.name }}__raw as
    select * from {{ view }} where {{ is_in_files(new_files + old_files) }} and {{ touched(entity, raw_key) }}
{% endmacro %}

{#- The files of a raw table that a staging model reads anew: those that no finished run has read. All of them where rows may
    have been read in part, since a var as_of lay before times that they carry: such rows do not show it. -#}
{% macro files_to_read(contract) %}
    {% set partly = contract.columns | map(attribute='meta') | selectattr('happened', 'defined')
        | selectattr('happened', 'equalto', 'later') | list %}
    {% set is_all = partly and run_query(
        'select coalesce(bool_or(is_as_of_given), false) from ops.runs where run_number >= ' ~ last_finished_number()
    )[0][0] %}
    {{ return(lake_files(contract, 'true' if is_all else is_new_file())) }}
{% endmacro %}

{#- Whether a raw row stands in a new file; in a full refresh any does. -#}
{% macro is_in_new_files(contract) -%}
    {%- if is_by_touch() -%} {{ is_in_files(lake_files(contract, is_new_file())) }} {%- else -%} true {%- endif -%}
{%- endmacro %}

{#- The places of a raw table's files of which a condition on raw_lake.files holds. -#}
{% macro lake_files(contract, condition) %}
    {{ return(run_query(
        "select location from raw_lake.files where source_name = '" ~ contract.source ~ "' and table_name = '"
        ~ contract.name ~ "' and " ~ condition
    ).columns[0].values() | list) }}
{% endmacro %}

{#- Whether a file of raw_lake.files is one that no finished run has read. -#}
{% macro is_new_file() -%}
    path in (select noted.path from ops.files as noted where noted.run_number > {{ last_finished_number() }})
{%- endmacro %}

{#- The number of the last run that finished, as a subquery. -#}
{% macro last_finished_number() -%}
    (select max(run_number) from ops.runs where finished_at is not null)
{%- endmacro %}

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
