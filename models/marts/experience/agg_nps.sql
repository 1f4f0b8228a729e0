{#- Segments by name: facts of the survey or of the person asked. -#}
{% set segments = {
    'survey_trigger': 'responses.survey_trigger',
    'country': 'coalesce(acquisitions.country, accounts.country)',
    'acquisition_channel': 'acquisitions.acquisition_channel',
    'value_tier': 'months.value_tier',
} %}
{#- Adjusted Wald interval (Rocks 2016), 95 %, two-sided: three more answers, a quarter
    each for promoters and detractors, half for passives. -#}
{% set added_answers = 3 %}
{% set normal_quantile = 1.959964 %}

with responses as (

    select * from {{ ref('fct_nps_responses') }}

),

acquisitions as (

    select * from {{ ref('int_person_acquisitions') }}

),

accounts as (

    select * from {{ ref('int_account_countries') }}

),

months as (

    select
        person_id,
        month,
        value_tier
    from {{ ref('fct_person_months') }}

),

segmented as (

    select
        responses.survey_id,
        responses.category,
        responses.is_mature,
        responses.is_newest_answer,
        {% for name, expression in segments.items() -%}
        coalesce({{ expression }}, 'unknown') as segment_{{ name }},
        {% endfor -%}
        {{ month_of(reporting_date('responses.sent_at')) }} as period_month
    from responses
    left join acquisitions on responses.person_id = acquisitions.person_id
    left join accounts on responses.person_id = accounts.person_id
    left join months
        on
            responses.person_id = months.person_id
            and {{ month_of(
                dbt.dateadd('month', -1, reporting_date('responses.sent_at'))
            ) }} = months.month

),

-- one row per survey and segment, and all
members as (

    {% for name in segments -%}
    select
        *,
        '{{ name }}' as segment_name,
        segment_{{ name }} as segment_value
    from segmented
    union all
    {% endfor -%}
    select
        *,
        'all' as segment_name,
        'all' as segment_value
    from segmented

),

counted as (

    select
        period_month,
        segment_name,
        segment_value,
        count(*) as surveys_sent,
        count(*) filter (where is_mature) as surveys_mature,
        count(*) filter (where is_mature and category is not null) as mature_answers,
        count(*) filter (where is_newest_answer) as responses,
        {% for category in ['promoter', 'passive', 'detractor'] -%}
        count(*) filter (
            where is_newest_answer and category = '{{ category }}'
        ) as {{ category }}s,
        {% endfor -%}
        cast({{ added_answers }} as double) as added_answers
    from members
    group by all

),

-- shares of promoters and detractors: together, and their difference
shared as (

    select
        *,
        (promoters + detractors) / nullif(cast(responses as double), 0) as decided,
        (promoters - detractors) / nullif(cast(responses as double), 0) as net,
        (promoters + detractors + added_answers / 2) / (responses + added_answers)
            as adjusted_decided,
        (promoters - detractors) / (responses + added_answers) as adjusted_net
    from counted

),

measured as (

    select
        *,
        sqrt(greatest(decided - net * net, 0) / nullif(responses, 0))
            as standard_error,
        {{ normal_quantile }} * sqrt(
            (adjusted_decided - adjusted_net * adjusted_net)
            / (responses + added_answers)
        ) as margin_of_error
    from shared

),

final as (

    select
        period_month,
        segment_name,
        segment_value,
        cast(surveys_sent as integer) as surveys_sent,
        cast(surveys_mature as integer) as surveys_mature,
        cast(responses as integer) as responses,
        mature_answers / nullif(cast(surveys_mature as double), 0) as response_rate,
        cast(promoters as integer) as promoters,
        cast(passives as integer) as passives,
        cast(detractors as integer) as detractors,
        100 * net as nps,
        100 * standard_error as nps_standard_error,
        case
            when responses > 0
                then greatest(100 * (adjusted_net - margin_of_error), -100)
        end as nps_low,
        case
            when responses > 0
                then least(100 * (adjusted_net + margin_of_error), 100)
        end as nps_high
    from measured

)

select * from final
