{#- A pre-hook of a staging model: sets aside, in a temporary table, every raw row whose key has a row in a new file or one
    that the passing of time may judge anew; other files are read only where they hold such a key. -#}
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
        'create or replace temp table ' ~ this.name ~ '__stored as select ' ~ stored_key ~ ' as stored_key from ' ~ this
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

{#- The files of a raw table that no finished run has read. All of them where rows may have been read in part, since a var
    as_of lay before times that they carry: such rows do not show it. -#}
{% macro files_to_read(contract) %}
    {% set partly = contract.columns | map(attribute='meta') | selectattr('happened', 'defined')
        | selectattr('happened', 'equalto', 'later') | list %}
    {% set last = '(select max(run_number) from ops.runs where finished_at is not null)' %}
    {% set is_all = partly and run_query(
        'select coalesce(bool_or(is_as_of_given), false) from ops.runs where run_number >= ' ~ last
    )[0][0] %}
    {{ return(run_query(
        'select files.location from raw_lake.files inner join ops.files as noted on files.path = noted.path'
        ~ " where files.source_name = '" ~ contract.source ~ "' and files.table_name = '" ~ contract.name ~ "'"
        ~ (' and noted.run_number > ' ~ last if not is_all else '')
    ).columns[0].values() | list) }}
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
