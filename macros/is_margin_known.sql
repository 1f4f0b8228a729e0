{#- Whether enough of an aggregated margin's cost is known (cost_known_share), and any at all, however little is asked for. A
    refund of an order of unknown cost has no sale to weigh by: unless partly known margins are welcome, all must be known.
    The share is rounded, as 4.60 / 5.75 is a little less than 0.8 in doubles. -#}
{% macro is_margin_known(relation) -%}
    (
        coalesce({{ relation }}.cost_known_share > 0, true)
        and coalesce(round({{ relation }}.cost_known_share, 9) >= {{ var('cost_known_share_min') }}, true)
        and ({{ relation }}.is_cost_known or {{ var('cost_known_share_min') }} < 1)
    )
{%- endmacro %}
