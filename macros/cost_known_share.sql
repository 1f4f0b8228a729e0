{#- Aggregate: the share of net sales whose cost is known, null where nothing was sold. -#}
{% macro cost_known_share() -%}
    cast(sum(case when cost_quality <> 'unknown' then net_sales else 0 end) as double)
    / nullif(cast(sum(net_sales) as double), 0)
{%- endmacro %}
