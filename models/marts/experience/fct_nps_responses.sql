with surveys as (

    select * from {{ ref('int_surveys_answered') }}

),

tickets as (

    select * from {{ ref('fct_support_tickets') }}

),

months as (

    select
        person_id,
        month,
        value_tier
    from {{ ref('fct_person_months') }}

),

settings as (

    select * from {{ ref('int_settings') }}

),

-- a person's tickets and surveys in their order: a survey stands at its answer, or at
-- its sending while there is none
experiences as (

    select
        person_id,
        cast(null as varchar) as survey_id,
        created_at as happened_at,
        created_at as ticket_at
    from tickets
    where person_id is not null
    union all
    select
        person_id,
        survey_id,
        coalesce(answered_at, sent_at) as happened_at,
        cast(null as timestamp) as ticket_at
    from surveys
    where person_id is not null

),

preceded as (

    select
        survey_id,
        happened_at,
        max(ticket_at) over (
            partition by person_id
            order by happened_at, survey_id nulls first
            rows between unbounded preceding and current row
        ) as last_ticket_at
    from experiences

),

-- of several answers to the same question in a month, a person's newest counts
ranked as (

    select
        survey_id,
        row_number() over (
            partition by
                person_id,
                survey_trigger,
                {{ month_of(reporting_date('sent_at')) }}
            order by answered_at desc, sent_at desc, survey_id desc
        ) as answer_rank
    from surveys
    where answered_at is not null

),

final as (

    select
        surveys.survey_id,
        surveys.person_id,
        surveys.survey_trigger,
        surveys.sent_at,
        surveys.responded_at,
        cast(surveys.score as integer) as score,
        -- the score's own definition (Reichheld 2003), the same for everybody
        case
            when surveys.score >= 9 then 'promoter'
            when surveys.score >= 7 then 'passive'
            when surveys.score >= 0 then 'detractor'
        end as category,
        months.value_tier as value_tier_at_response,
        surveys.order_id,
        surveys.ticket_id,
        cast(
            {{ dbt.datediff(
                reporting_date('preceded.last_ticket_at'),
                reporting_date('preceded.happened_at'),
                'day'
            ) }} as integer
        ) as days_since_last_ticket,
        surveys.sent_at + interval '{{ var('nps_answer_window_days') }}' day
        <= settings.as_of as is_mature,
        surveys.answered_at is not null
        and (surveys.person_id is null or ranked.answer_rank = 1) as is_newest_answer
    from surveys
    left join preceded on surveys.survey_id = preceded.survey_id
    left join ranked on surveys.survey_id = ranked.survey_id
    left join months
        on
            surveys.person_id = months.person_id
            and {{ month_of(
                dbt.dateadd('month', -1, reporting_date('surveys.answered_at'))
            ) }} = months.month
    cross join settings

)

select * from final
