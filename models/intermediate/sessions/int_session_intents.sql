{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'device': 'anonymous_id'}, 'emits': {'session': 'session_id'}},
) }}

with landed as (

    select
        session_id,
        anonymous_id,
        event_name,
        coalesce(page_type, '') as page_type,
        coalesce(first_page, '') as first_page
    from {{ ref('int_sessions_landed') }}
    where {{ touched('device', 'anonymous_id') }}

),

intent_rules as (

    select * from {{ ref('intent_rules') }}

),

beginnings as (

    select
        event_name,
        page_type,
        first_page
    from landed
    group by all

),

-- every condition that a rule states must hold; the first rule wins
matches as (

    select
        beginnings.event_name,
        beginnings.page_type,
        beginnings.first_page,
        min_by(intent_rules.intent, intent_rules.rule_number) as intent
    from beginnings
    inner join intent_rules
        on
            coalesce(intent_rules.event_name, '') in ('', beginnings.event_name)
            and coalesce(intent_rules.page_type, '') in ('', beginnings.page_type)
            and {{ matches_pattern(
                'beginnings.first_page', "coalesce(intent_rules.page_pattern, '')"
            ) }}
    group by all

),

final as (

    select
        landed.session_id,
        landed.anonymous_id,
        coalesce(matches.intent, 'unknown') as intent
    from landed
    left join matches
        on
            landed.event_name = matches.event_name
            and landed.page_type = matches.page_type
            and landed.first_page = matches.first_page

)

select * from final
