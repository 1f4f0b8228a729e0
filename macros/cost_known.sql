{#- Aggregate: the share of net sales whose cost is known, null where nothing was sold. -#}
{% macro cost_known_share() -%}
    cast(sum(case when cost_quality <> 'unknown' then net_sales else 0 end) as double)
    / nullif(cast(sum(net_sales) as double), 0)
{%- endmacro %}

{#- An aggregated margin (known_margin), or null where too little of its cost is known; where nothing was sold, all of it
    must be (cost_known_share, is_cost_known). -#}
{% macro margin_if_known(relation) -%}
    case
        when coalesce(
            {{ relation }}.cost_known_share >= {{ var('cost_known_share_min') }}, {{ relation }}.is_cost_known
        ) then {{ relation }}.known_margin
    end
{%- endmacro %}
