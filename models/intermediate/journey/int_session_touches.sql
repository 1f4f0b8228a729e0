{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'device': 'anonymous_id'}, 'emits': {'contacted': 'person_id'}},
) }}

{#- They are told elsewhere, whatever an event or micro-conversion is called. -#}
{% set other_kinds = [
    'session', 'email_click', 'email_open', 'referral', 'ticket', 'survey', 'review',
    'delivery', 'store_order'
] %}
{% set events_of_kinds = {
    'advisor': 'advisor_started',
    'chat': 'chat_started',
    'share': 'social_share',
} %}

with touch_kinds as (

    select * from {{ ref('touch_kinds') }}

),

micro_conversions as (

    select * from {{ ref('micro_conversions') }}

),

-- a kind that a shop adds is a micro-conversion, else an event
kinds as (

    select
        touch_kinds.touch_kind,
        case touch_kinds.touch_kind
            {% for kind, event_name in events_of_kinds.items() -%}
            when '{{ kind }}' then '{{ event_name }}'
            {% endfor -%}
            else touch_kinds.touch_kind
        end as word
    from touch_kinds
    where
        touch_kinds.touch_kind not in (
            {% for kind in other_kinds -%}
            '{{ kind }}'{{ ',' if not loop.last }}
            {% endfor -%}
        )

),

step_kinds as (

    select kinds.*
    from kinds
    semi join micro_conversions on kinds.word = micro_conversions.micro_conversion

),

event_kinds as (

    select kinds.*
    from kinds
    anti join micro_conversions on kinds.word = micro_conversions.micro_conversion

),

steps as (

    select * from {{ ref('int_session_steps') }}
    where {{ touched('device', 'anonymous_id') }}

),

events as (

    select * from {{ ref('int_events_sessionised') }}
    where {{ touched('device', 'anonymous_id') }}

),

owned as (

    select
        session_id,
        person_id
    from {{ ref('int_sessions_owned') }}
    where {{ touched('device', 'anonymous_id') }}

),

happenings as (

    select
        step_kinds.touch_kind,
        steps.session_id,
        steps.anonymous_id,
        steps.occurred_at
    from steps
    inner join step_kinds on steps.micro_conversion = step_kinds.word
    union all
    select
        event_kinds.touch_kind,
        events.session_id,
        events.anonymous_id,
        events.occurred_at
    from events
    inner join event_kinds on events.event_name = event_kinds.word

),

-- once a session: what is done again is the same touch
final as (

    select
        happenings.touch_kind,
        happenings.session_id,
        happenings.anonymous_id,
        owned.person_id,
        min(happenings.occurred_at) as occurred_at
    from happenings
    inner join owned on happenings.session_id = owned.session_id
    group by all

)

select * from final
