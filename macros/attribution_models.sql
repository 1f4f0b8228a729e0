{#- The models of attribution: each has a credit, a revenue, a margin and a CLV wherever they stand side by side. -#}
{% macro attribution_models() %}
    {{ return([
        'first_touch', 'last_touch', 'last_non_direct', 'linear', 'position_based', 'time_decay', 'shapley', 'markov',
    ]) }}
{% endmacro %}
