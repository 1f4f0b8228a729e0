{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'device': 'anonymous_id'}, 'emits': {'session': 'session_id'}},
) }}

{% set utm_columns = ['utm_source', 'utm_medium', 'utm_campaign'] %}
{% set click_parameters = ['gclid', 'gbraid', 'wbraid', 'dclid'] %}
{% set click_sources = {'msclkid': 'bing', 'ttclid': 'tiktok'} %}

with sessions as (

    select
        session_id,
        anonymous_id,
        first_event_id
    from {{ ref('int_sessions_summarised') }}
    where {{ touched('device', 'anonymous_id') }}

),

events as (

    select * from {{ ref('stg_web__events') }}
    where row_bucket = 'staged' and {{ touched('device', 'anonymous_id') }}

),

landings as (

    select
        sessions.session_id,
        sessions.anonymous_id,
        events.event_name,
        events.page_type,
        events.device_type,
        events.country,
        {% for name in utm_columns -%}
        events.{{ name }},
        {% endfor -%}
        events.click_id,
        events.page_url,
        events.referrer_url
    from sessions
    inner join events on sessions.first_event_id = events.event_id

),

-- each URL is taken apart once, however many sessions begin with it; in a step of its
-- own, since DuckDB stops with an internal error where one both groups and takes apart
page_urls as (

    select distinct page_url as url
    from landings
    where page_url is not null

),

pages as (

    select
        url,
        {% for name in utm_columns -%}
        {{ url_parameter('url', name) }} as {{ name }},
        {% endfor -%}
        {{ url_path('url') }} as first_page,
        {{ url_host('url') }} as page_host,
        case
            {% for name, click_source in click_sources.items() -%}
            when {{ matches_pattern('url', "'[?&]" ~ name ~ "='") }}
                then '{{ click_source }}'
            {% endfor -%}
            when {{ matches_pattern(
                'url', "'[?&](" ~ click_parameters | join('|') ~ ")='"
            ) }}
                then '{{ var('click_id_source') }}'
        end as click_source
    from page_urls

),

referrer_urls as (

    select distinct referrer_url as url
    from landings
    where referrer_url is not null

),

referrers as (

    select
        url,
        {{ url_host('url') }} as referrer_host
    from referrer_urls

),

first_events as (

    select
        landings.session_id,
        landings.anonymous_id,
        landings.event_name,
        landings.page_type,
        landings.device_type,
        landings.country,
        {% for name in utm_columns -%}
        coalesce(landings.{{ name }}, pages.{{ name }}) as {{ name }},
        {% endfor -%}
        pages.first_page,
        pages.page_host,
        referrers.referrer_host,
        coalesce(
            pages.click_source,
            case
                when landings.click_id is not null then '{{ var('click_id_source') }}'
            end
        ) as click_source
    from landings
    left join pages on landings.page_url = pages.url
    left join referrers on landings.referrer_url = referrers.url

),

intent_rules as (

    select * from {{ ref('intent_rules') }}

),

beginnings as (

    select
        event_name,
        page_type,
        first_page
    from first_events
    group by all

),

-- every condition that a rule states must hold; the first rule wins
intents as (

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
                "coalesce(beginnings.first_page, '')",
                "coalesce(intent_rules.page_pattern, '')"
            ) }}
    group by all

),

final as (

    select
        first_events.*,
        coalesce(intents.intent, 'unknown') as intent
    from first_events
    left join intents
        on
            first_events.event_name = intents.event_name
            and first_events.page_type is not distinct from intents.page_type
            and first_events.first_page is not distinct from intents.first_page

)

select * from final
