{#- The number of this run, as SQL. -#}
{% macro run_number() -%} (select max(run_number) from ops.runs) {%- endmacro %}
