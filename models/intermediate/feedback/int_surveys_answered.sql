{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {'profile': 'person_id'}},
) }}

with surveys as (

    select * from {{ ref('stg_feedback__nps_surveys') }}
    where row_bucket = 'staged'

),

identifiers as (

    select * from {{ ref('int_identifiers_resolved') }}

),

{{ owned_rows('surveys') }},

-- a score makes an answer, without a time of its own as of when it was asked for
final as (

    select
        survey_id,
        person_id,
        survey_trigger,
        sent_at,
        responded_at,
        case
            when score is not null
                then coalesce(responded_at, sent_at)
        end as answered_at,
        score,
        order_id,
        ticket_id
    from owned

)

select * from final
