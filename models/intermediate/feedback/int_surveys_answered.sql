with surveys as (

    select * from {{ ref('stg_feedback__nps_surveys') }}
    where row_bucket = 'staged'

),

identifiers as (

    select * from {{ ref('int_identifiers_resolved') }}

),

customers as (

    select * from identifiers
    where identifier_kind = 'customer_id'

),

emails as (

    select * from identifiers
    where identifier_kind = 'email_hash'

),

-- the account says who was asked; only a survey without one asks the e-mail. A score
-- makes an answer; without a time of its own it counts from when it was asked for.
final as (

    select
        surveys.survey_id,
        coalesce(customers.person_id, emails.person_id) as person_id,
        surveys.survey_trigger,
        surveys.sent_at,
        surveys.responded_at,
        case
            when surveys.score is not null
                then coalesce(surveys.responded_at, surveys.sent_at)
        end as answered_at,
        surveys.score,
        surveys.order_id,
        surveys.ticket_id
    from surveys
    left join customers on surveys.customer_id = customers.identifier
    left join emails
        on
            case when surveys.customer_id is null then surveys.email_hash end
            = emails.identifier

)

select * from final
