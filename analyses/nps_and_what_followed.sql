-- What does a point of NPS go with, by the tier that the person was in when it
-- answered? Margin of the six months after the month of the answer, of answers for
-- which these are over, whether or not the person has ordered. The slope is margin per
-- point of the score. Whoever is going to stay may well score higher: this is
-- association, and no promise for a raised score.
{% set months_after = 6 %}

with responses as (

    select
        survey_id,
        person_id,
        score,
        category,
        value_tier_at_response,
        {{ month_of(reporting_date('coalesce(responded_at, sent_at)')) }}
            as answer_month
    from {{ ref('fct_nps_responses') }}
    where is_newest_answer and person_id is not null

),

months as (

    select * from {{ ref('fct_person_months') }}

),

months_over as (

    select max(month) as last_month
    from months

),

responses_followed as (

    select responses.*
    from responses
    inner join months_over
        on cast({{ dbt.dateadd(
            'month', months_after, 'responses.answer_month'
        ) }} as date) <= months_over.last_month

),

-- a month before the first order is no row, and brought nothing
followed as (

    select
        responses_followed.survey_id,
        responses_followed.score,
        responses_followed.category,
        coalesce(responses_followed.value_tier_at_response, 'no tier yet')
            as value_tier,
        coalesce(sum(months.orders), 0) as orders,
        case
            when count(months.month) = count(months.contribution_margin)
                then cast(coalesce(sum(months.contribution_margin), 0) as double)
        end as margin
    from responses_followed
    left join months
        on
            responses_followed.person_id = months.person_id
            and responses_followed.answer_month < months.month
            and cast({{ dbt.dateadd(
                'month', months_after, 'responses_followed.answer_month'
            ) }} as date) >= months.month
    group by all

),

final as (

    select
        value_tier,
        count(*) as answers,
        avg(case when category = 'promoter' then margin end) as margin_of_promoters,
        avg(case when category = 'passive' then margin end) as margin_of_passives,
        avg(case when category = 'detractor' then margin end) as margin_of_detractors,
        avg(case when orders > 0 then 1.0 else 0.0 end) as reordered_rate,
        regr_slope(margin, score) as margin_per_point,
        corr(margin, score) as correlation
    from followed
    group by value_tier

)

select * from final
order by value_tier
