-- What does a point of NPS go with, by the tier that the person was in when it
-- answered? Margin of the six months after the month of the answer, of answers for
-- which these are over. The slope is margin per point of the score. Whoever is going
-- to stay may well score higher: this is association, and no promise for a raised
-- score.
{% set months_after = 6 %}

with responses as (

    select
        survey_id,
        person_id,
        score,
        category,
        value_tier_at_response,
        cast({{ dbt.date_trunc('month', 'responded_at') }} as date) as answer_month
    from {{ ref('fct_nps_responses') }}
    where is_newest_answer and person_id is not null and responded_at is not null

),

months as (

    select * from {{ ref('fct_person_months') }}

),

-- answers whose months are not all over have fewer rows
followed as (

    select
        responses.survey_id,
        responses.score,
        responses.category,
        coalesce(responses.value_tier_at_response, 'no order yet') as value_tier,
        sum(months.orders) as orders,
        case
            when count(*) = count(months.contribution_margin)
                then cast(sum(months.contribution_margin) as double)
        end as margin
    from responses
    inner join months
        on
            responses.person_id = months.person_id
            and responses.answer_month < months.month
            and cast({{ dbt.dateadd(
                'month', months_after, 'responses.answer_month'
            ) }} as date) >= months.month
    group by all
    having count(*) = {{ months_after }}

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
