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

first_events as (

    select
        sessions.session_id,
        sessions.anonymous_id,
        events.event_name,
        events.page_type,
        events.device_type,
        events.country,
        {% for name in utm_columns -%}
        coalesce(
            events.{{ name }}, {{ url_parameter('events.page_url', name) }}
        ) as {{ name }},
        {% endfor -%}
        {{ url_path('events.page_url') }} as first_page,
        {{ url_host('events.page_url') }} as page_host,
        {{ url_host('events.referrer_url') }} as referrer_host,
        case
            {% for name, click_source in click_sources.items() -%}
            when {{ matches_pattern('events.page_url', "'[?&]" ~ name ~ "='") }}
                then '{{ click_source }}'
            {% endfor -%}
            when
                events.click_id is not null
                or {{ matches_pattern(
                    'events.page_url', "'[?&](" ~ click_parameters | join('|') ~ ")='"
                ) }}
                then '{{ var('click_id_source') }}'
        end as click_source
    from sessions
    inner join events on sessions.first_event_id = events.event_id

),

final as (

    select
        session_id,
        anonymous_id,
        event_name,
        page_type,
        first_page,
        device_type,
        country,
        utm_source,
        utm_medium,
        utm_campaign,
        page_host,
        referrer_host,
        click_source
    from first_events

)

select * from final
