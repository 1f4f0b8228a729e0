{#- A step that holds whole histories in memory takes so many rows of a relation at a time: its main query reads the first bucket
    of keys, and a post-hook inserts the others with the same query, one after the other. CX_ROWS_PER_BUCKET
    changes it for a smaller machine. What a run by touch reads is one bucket. -#}
{% macro bucket_count(relation) %}
    {% if not execute or this is none or not is_building() or is_by_touch() %} {{ return(1) }} {% endif %}
    {% set rows_per_bucket = (env_var('CX_ROWS_PER_BUCKET', '') or '10000000') | int %}
    {% set rows = run_query('select count(*) from ' ~ relation)[0][0] %}
    {{ return([1, (rows + rows_per_bucket - 1) // rows_per_bucket] | max) }}
{% endmacro %}

{#- Whether a key lies in the bucket that a query reads. -#}
{% macro is_in_bucket(relation, key) -%}
    {%- set count = bucket_count(relation) -%}
    {%- if count == 1 -%} true {%- else -%} {{ bucket_of(key, count) }} = {{ bucket_mark() }} {%- endif -%}
{%- endmacro %}

{#- A post-hook: inserts the buckets after the first. -#}
{% macro insert_other_buckets(relation) %}
    {% for bucket in range(1, bucket_count(relation)) %}
        {% do run_query('insert into ' ~ this ~ ' ' ~ (model.compiled_code | replace(bucket_mark(), bucket))) %}
    {% endfor %}
{% endmacro %}

{#- The first bucket's number, so written that it is found again. -#}
{% macro bucket_mark() %} {{ return('0 /* bucket */') }} {% endmacro %}
