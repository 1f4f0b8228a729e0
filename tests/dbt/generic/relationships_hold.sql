{#- Values of a column that another relation does not hold; null belongs to nobody and is fine. -#}
{% test relationships_hold(model, column_name, to, field) %}

select children.{{ column_name }}
from {{ model }} as children
anti join {{ to }} as parents on children.{{ column_name }} = parents.{{ field }}
where children.{{ column_name }} is not null

{% endtest %}
