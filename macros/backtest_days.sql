{#- The cut-offs of var clv_backtest_days, and as_of itself. A wrong var is told of when the run starts, which is later. -#}
{% macro backtest_days(given) %}
    {{ return([0] + (given | map('int') | list if given is iterable and given is not string else [])) }}
{% endmacro %}
