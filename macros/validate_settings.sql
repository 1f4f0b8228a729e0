{#- Checks every setting at the start of a run: one clear line for each that is wrong. -#}
{% macro validate_settings() %}
    {% if not execute %} {{ return('') }} {% endif %}
    {% set mistakes = [] %}
    {% for name in invocation_args_dict.get('vars', {}) if name not in setting_names() %}
        {% do mistakes.append([name, 'is no setting of this project; they are listed in dbt_project.yml']) %}
    {% endfor %}
    {% for name, low, high in setting_limits() %}
        {% set value = var(name) %}
        {#- a hundred years: moments stay within what an engine can count -#}
        {% set longest = {'days': 36500, 'hours': 876000, 'minutes': 52560000, 'months': 1200}.get(name.split('_')[-1]) %}
        {% set high = longest if high is none else high %}
        {% set is_whole = name.split('_')[-1] in ['days', 'minutes', 'seconds', 'months', 'customers', 'sessions'] or name.startswith('identity_max') %}
        {% if value is not number or value is boolean or value - value != 0 or value < low or (high is not none and value > high)
            or (is_whole and value is not integer) %}
            {% do mistakes.append([name, 'must be a ' ~ ('whole ' if is_whole else '') ~ 'number from ' ~ low
                ~ (' to ' ~ high if high is not none else ' on')]) %}
        {% endif %}
    {% endfor %}
    {% for name in ['non_promo_kinds', 'marketing_parameters'] if var(name) is string or var(name) is not iterable %}
        {% do mistakes.append([name, 'must be a list']) %}
    {% endfor %}
    {#- a pattern would reach into the parameters beside it -#}
    {% set named = var('marketing_parameters') %}
    {% for name in (named if named is iterable else []) if not modules.re.fullmatch('[A-Za-z0-9_.~-]+', name | string) %}
        {% do mistakes.append(['marketing_parameters', 'must be a list of names such as utm_source']) %}
    {% endfor %}
    {#- what staging calls promotions; without sources there is nothing to compare with -#}
    {% set kinds = [] %}
    {% for table in graph.sources.values() if table.name == 'promotions' %}
        {% do kinds.extend(table.columns['promotion_kind'].config.meta.words + ['other']) %}
    {% endfor %}
    {% set non_promo_kinds = var('non_promo_kinds') %}
    {% if kinds and non_promo_kinds is iterable and non_promo_kinds is not string
        and non_promo_kinds | reject('in', kinds) | list %}
        {% do mistakes.append(['non_promo_kinds', 'must be a list of ' ~ kinds | join(', ')]) %}
    {% endif %}
    {% for name, words in {
        'clv_model': ['mbg_nbd', 'bg_nbd'],
        'clv_group_by': ['all', 'is_promo_acquired', 'acquisition_channel', 'first_category', 'country'],
    }.items() if var(name) not in words %}
        {% do mistakes.append([name, 'must be one of ' ~ words | join(', ')]) %}
    {% endfor %}
    {% set cutoffs = var('clv_backtest_days') %}
    {% if cutoffs is string or cutoffs is not iterable or cutoffs | select('integer') | select('gt', 0) | unique | list != cutoffs | list %}
        {% do mistakes.append(['clv_backtest_days', 'must be a list of different whole numbers from 1 on']) %}
    {% endif %}
    {% if var('click_id_source') is not string or not modules.re.fullmatch("[^'\" ][^'\"]*", var('click_id_source')) %}
        {% do mistakes.append(['click_id_source', 'must be the name of a source such as google']) %}
    {% endif %}
    {% if var('session_splits_at_midnight') is not boolean %}
        {% do mistakes.append(['session_splits_at_midnight', 'must be true or false']) %}
    {% endif %}
    {% for name in ['as_of', 'earliest_plausible_at', 'latest_plausible_at'] if var(name) or name == 'earliest_plausible_at' %}
        {% set text = var(name) | string %}
        {% if not modules.re.fullmatch('[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9:.]+( *([zZ]|[+-][0-9:]+))?)?', text)
            or run_query('select ' ~ utc_timestamp("'" ~ text ~ "'") ~ ' is null')[0][0] %}
            {% do mistakes.append([name, 'must be a date (2024-06-30) or a UTC timestamp (2024-06-30 18:00:00)']) %}
        {% endif %}
    {% endfor %}
    {% set zone = (var('reporting_timezone') | string).replace("'", "''") %}
    {% if not run_query("select count(*) > 0 from pg_timezone_names() where name = '" ~ zone ~ "'")[0][0] %}
        {% do mistakes.append(['reporting_timezone', 'must be an IANA name such as Europe/Berlin']) %}
    {% endif %}
    {% if var('base_currency') and not modules.re.fullmatch('[A-Z]{3}', var('base_currency') | string) %}
        {% do mistakes.append(['base_currency', 'must be a code of three capital letters such as EUR']) %}
    {% endif %}
    {% set lines = [] %}
    {% for name, what in mistakes %}
        {% do lines.append("var " ~ name ~ ": '" ~ var(name) ~ "' " ~ what) %}
    {% endfor %}
    {% if lines %} {{ exceptions.raise_compiler_error(lines | join('\n')) }} {% endif %}
{% endmacro %}

{#- The smallest and largest value of each setting that is a number; none where there is no largest. -#}
{% macro setting_limits() %}
    {{ return([
        ('money_tolerance', 0, none), ('refund_window_days', 0, none), ('promo_discount_share_min', 0, 1),
        ('cost_known_share_min', 0, 1), ('payment_fee_rate', 0, 1), ('fulfilment_cost_rate', 0, 1),
        ('identity_max_customers_per_email', 1, none), ('quarantine_share_max', 0, 1),
        ('session_timeout_minutes', 0, none), ('bounce_max_seconds', 0, none), ('late_arrival_days', 0, none),
        ('identity_lookback_days', 0, none), ('identity_lookahead_days', 0, none),
        ('acquisition_lookback_days', 0, none), ('repeat_contact_days', 0, none),
        ('nps_answer_window_days', 0, none),
        ('cart_abandon_hours', 0, none), ('cart_recovery_days', 0, none), ('cart_silence_days', 0, none),
        ('post_purchase_days', 0, none), ('attribution_lookback_days', 0, none), ('markov_min_conversions', 0, none),
        ('time_decay_half_life_days', 1, none), ('position_based_end_share', 0, 0.5),
        ('clv_horizon_months', 1, none), ('clv_monthly_discount_rate', 0, 1), ('clv_group_min_customers', 1, none),
        ('clv_shrinkage_orders', 0.01, none), ('value_tier_top_share', 0, 0.5), ('value_tier_next_share', 0, 0.5),
        ('journey_silence_days', 1, none), ('micro_conversion_min_sessions', 1, none),
    ]) }}
{% endmacro %}

{#- The names of all settings: the vars of dbt_project.yml. -#}
{% macro setting_names() %}
    {{ return([
        'as_of', 'reporting_timezone', 'base_currency', 'earliest_plausible_at', 'latest_plausible_at',
        'money_tolerance', 'refund_window_days', 'promo_discount_share_min', 'non_promo_kinds',
        'cost_known_share_min', 'payment_fee_rate', 'fulfilment_cost_rate', 'identity_max_customers_per_email',
        'repeat_contact_days', 'nps_answer_window_days', 'marketing_parameters', 'quarantine_share_max',
        'session_timeout_minutes', 'session_splits_at_midnight', 'bounce_max_seconds', 'click_id_source',
        'late_arrival_days', 'identity_lookback_days', 'identity_lookahead_days', 'acquisition_lookback_days',
        'cart_abandon_hours', 'cart_recovery_days', 'cart_silence_days', 'post_purchase_days',
        'attribution_lookback_days', 'markov_min_conversions', 'time_decay_half_life_days',
        'position_based_end_share', 'clv_model', 'clv_horizon_months', 'clv_monthly_discount_rate', 'clv_group_by',
        'clv_group_min_customers', 'clv_shrinkage_orders', 'clv_backtest_days', 'value_tier_top_share',
        'value_tier_next_share', 'journey_silence_days', 'micro_conversion_min_sessions',
    ]) }}
{% endmacro %}
