{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'device': 'anonymous_id'}, 'emits': {'session': 'session_id'}},
) }}

with rules as (

    select * from {{ ref('micro_conversions') }}

),

events as (

    select
        event_id,
        session_id,
        anonymous_id,
        occurred_at,
        event_name
    from {{ ref('int_events_sessionised') }}
    where event_name <> 'bounce' and {{ touched('device', 'anonymous_id') }}

),

bounces as (

    select
        first_event_id,
        session_id,
        anonymous_id,
        started_at,
        'bounce' as event_name
    from {{ ref('int_sessions_summarised') }}
    where is_bounce and {{ touched('device', 'anonymous_id') }}

),

{{ refused_events('rules', ['micro_conversion'], ref('stg_web__events')) }},

happenings as (

    select * from events
    union all
    select * from bounces

),

-- most rules have no filter: their steps need not pass by the refused ones, which would
-- have to be kept in memory beside the steps
{% for name, has_filter in {'plain': 'is null', 'filtered': 'is not null'}.items() %}
{{ name }}_steps as (

    select
        happenings.session_id,
        rules.micro_conversion,
        min(happenings.anonymous_id) as anonymous_id,
        min(happenings.occurred_at) as occurred_at,
        case
            when min(rules.once_per_session) then 1
            else count(*)
        end as occurrence_count
    from happenings
    inner join rules on happenings.event_name = rules.event_name
    {% if name == 'filtered' -%}
    anti join refused
        on
            happenings.event_id = refused.event_id
            and rules.micro_conversion = refused.micro_conversion
    {% endif -%}
    where nullif(rules.filter, '') {{ has_filter }}
    group by happenings.session_id, rules.micro_conversion

),
{% endfor %}
final as (

    select * from plain_steps
    union all
    select * from filtered_steps

)

select * from final
