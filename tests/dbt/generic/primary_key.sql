{#- Rows whose key repeats or is empty; a column of a key of several may be null when it says so (drift_value). -#}
{% test primary_key(model, columns) %}

select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
group by all
having count(*) > 1 or {{ columns[0] }} is null

{% endtest %}
