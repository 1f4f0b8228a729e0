{#- What the rows of incremental models mean: the settings that they read themselves, their seeds, and the key of the hashes.
    A step that is computed whole hands on its own changes; identity_exclusions is data. -#}
{% macro incremental_rules() %}
    {% set rules = {} %}
    {% for name in incremental_settings() %}
        {#- a day without quotes comes as a date -#}
        {% set value = var(name) %}
        {% do rules.update({'var ' ~ name: value.isoformat() if value.isoformat is defined else value}) %}
    {% endfor %}
    {% for node in incremental_models() + views_between() %}
        {% for id in node.depends_on.nodes if id in graph.nodes and graph.nodes[id].resource_type == 'seed' %}
            {% if graph.nodes[id].name != 'identity_exclusions' %}
                {% do rules.update({'seed ' ~ graph.nodes[id].name: graph.nodes[id].checksum.checksum}) %}
            {% endif %}
        {% endfor %}
    {% endfor %}
    {% do rules.update({'CX_PII_KEY': run_query("select left(sha256('rules:' || getvariable('cx_pii_key')), 16)")[0][0]}) %}
    {{ return(rules) }}
{% endmacro %}

{#- Stops a run whose rules differ from those that the tables were built with. -#}
{% macro stop_at_changed_rules(before, now) %}
    {% set lines = [] %}
    {% for name, value in now.items() if name not in before or before[name] != value %}
        {% set what -%}
            {%- if name.startswith('var ') and name in before -%} was {{ before[name] }} when the tables were built, and is {{ value }} now
            {%- else -%} is another than the one that the tables were built with {%- endif -%}
        {%- endset %}
        {% do lines.append(name ~ ' ' ~ what) %}
    {% endfor %}
    {% if lines %}
        {{ exceptions.raise_compiler_error(
            lines | join('\n') ~ '\nAn incremental run would mix the two. Set it back (a seed with dbt seed), or rebuild: dbt build --full-refresh'
        ) }}
    {% endif %}
{% endmacro %}

{#- The settings that incremental models read themselves. -#}
{% macro incremental_settings() %}
    {{ return([
        'reporting_timezone', 'earliest_plausible_at', 'latest_plausible_at', 'money_tolerance', 'marketing_parameters',
        'session_timeout_minutes', 'session_splits_at_midnight', 'bounce_max_seconds', 'click_id_source',
        'late_arrival_days', 'identity_max_customers_per_email', 'identity_lookback_days', 'identity_lookahead_days',
        'acquisition_lookback_days', 'base_currency', 'payment_fee_rate', 'fulfilment_cost_rate', 'cost_known_share_min',
        'refund_window_days',
        'promo_discount_share_min', 'non_promo_kinds',
        'cart_abandon_hours', 'cart_recovery_days', 'cart_silence_days', 'post_purchase_days',
        'attribution_lookback_days', 'time_decay_half_life_days', 'position_based_end_share',
    ]) }}
{% endmacro %}
