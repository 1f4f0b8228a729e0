{#- What customers of the same moment are compared by, more is better. -#}
{% set measures = {
    'recency': '-states.days_since_last_order',
    'frequency': 'states.order_count',
    'monetary': 'states.monetary',
} %}
{% set measured = measures.keys() | list + ['predicted_clv'] %}
{% set top = 1 - var('value_tier_top_share') | float %}
{% set next = top - var('value_tier_next_share') | float %}
{#- From which share of customers strictly below on a value is one mark better. -#}
{% set fifths = ['0.2', '0.4', '0.6', '0.8'] %}
{% set tiers = [next | round(9), top | round(9)] %}

with states as (

    select
        *,
        case when is_as_of then person_id end as person_as_of
    from {{ ref('int_customer_states') }}

),

predicted as (

    select * from {{ ref('int_clv_predicted') }}

),

predicted_then as (

    select * from {{ ref('int_clv_by_month') }}

),

rfm_segments as (

    select * from {{ ref('rfm_segments') }}

),

-- ranks are of cents: they do not depend on the last bits of a fit
valued as (

    select
        states.person_id,
        states.state_month,
        states.is_month_over,
        states.is_as_of,
        states.days_since_last_order,
        states.order_count,
        {% for name, expression in measures.items() -%}
        {{ expression }} as {{ name }},
        {% endfor -%}
        cast(round(
            coalesce(predicted_then.predicted_clv, predicted.predicted_clv), 2
        ) as decimal(18, 2)) as predicted_clv,
        coalesce(
            predicted_then.probability_alive, predicted.probability_alive
        ) as probability_alive
    from states
    left join predicted_then
        on
            states.person_id = predicted_then.person_id
            and states.state_month = predicted_then.state_month
    left join predicted on states.person_as_of = predicted.person_id

),

-- as many rows as there are values, so that what is sorted is narrow
{% for name in measured %}
{{ name }}_values as (

    select
        state_month,
        {{ name }},
        count(*) as customers
    from valued
    group by state_month, {{ name }}

),

{{ name }}_below as (

    select
        state_month,
        {{ name }},
        sum(customers) over (
            partition by state_month order by {{ name }}
        ) - customers as customers_below,
        cast(sum(customers) over (partition by state_month) as double) as customers
    from {{ name }}_values

),

{{ name }}_marks as (

    select
        {% for share in (tiers if name == 'predicted_clv' else fifths) -%}
        min(
            case when customers_below / customers >= {{ share }} then {{ name }} end
        ) as mark_{{ loop.index }},
        {% endfor -%}
        state_month
    from {{ name }}_below
    group by state_month

),
{% endfor %}
-- 1 + 5 times the share of customers strictly below
scored as (

    select
        valued.*,
        {% for name in measures -%}
        1
        {%- for number in range(1, 5) %}
        + case
            when valued.{{ name }} >= {{ name }}_marks.mark_{{ number }} then 1 else 0
        end
        {%- endfor %} as {{ name }}_score,
        {% endfor -%}
        case
            when valued.predicted_clv >= predicted_clv_marks.mark_2 then 'top'
            when valued.predicted_clv >= predicted_clv_marks.mark_1 then 'next'
            else 'rest'
        end as value_tier
    from valued
    {% for name in measured -%}
    inner join {{ name }}_marks on valued.state_month = {{ name }}_marks.state_month
    {% endfor %}
),

scores as (

    {% for score in range(1, 6) -%}
    select {{ score }} as score
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- the first segment that holds the three scores
named as (

    select
        scores.score as recency_score,
        frequencies.score as frequency_score,
        monetaries.score as monetary_score,
        min_by(rfm_segments.rfm_segment, rfm_segments.segment_rank) as rfm_segment
    from scores
    cross join scores as frequencies
    cross join scores as monetaries
    inner join rfm_segments
        on
            scores.score >= rfm_segments.recency_min
            and scores.score <= rfm_segments.recency_max
            and frequencies.score >= rfm_segments.frequency_min
            and frequencies.score <= rfm_segments.frequency_max
            and monetaries.score >= rfm_segments.monetary_min
            and monetaries.score <= rfm_segments.monetary_max
    group by all

),

final as (

    select
        scored.person_id,
        scored.state_month,
        scored.is_month_over,
        scored.is_as_of,
        scored.days_since_last_order,
        scored.order_count,
        scored.recency_score,
        scored.frequency_score,
        scored.monetary_score,
        named.rfm_segment,
        scored.value_tier,
        scored.predicted_clv,
        scored.probability_alive
    from scored
    left join named
        on
            scored.recency_score = named.recency_score
            and scored.frequency_score = named.frequency_score
            and scored.monetary_score = named.monetary_score

)

select * from final
