{% set utm_columns = ['utm_source', 'utm_medium', 'utm_campaign'] %}
{% set click_parameters = ['gclid', 'gbraid', 'wbraid', 'dclid'] %}
{% set click_sources = {'msclkid': 'bing', 'ttclid': 'tiktok'} %}

with sessions as (

    select
        session_id,
        first_event_id,
        landing_page
    from {{ ref('int_sessions_summarised') }}

),

events as (

    select * from {{ ref('stg_web__events') }}
    where row_bucket = 'staged'

),

first_events as (

    select
        sessions.session_id,
        sessions.landing_page,
        events.event_name,
        events.page_type,
        events.device_type,
        events.country,
        {% for name in utm_columns -%}
        coalesce(
            events.{{ name }}, {{ url_parameter('events.page_url', name) }}
        ) as {{ name }},
        {% endfor -%}
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

own_hosts as (

    select distinct page_host as own_host
    from first_events
    where page_host is not null

),

-- a page of the shop itself, under whichever of its names, is no referrer
referred as (

    select
        first_events.*,
        case
            when
                own_hosts.own_host is not null
                or first_events.referrer_host like '%.' || first_events.page_host
                or first_events.page_host like '%.' || first_events.referrer_host
                then null
            else first_events.referrer_host
        end as outside_host
    from first_events
    left join own_hosts on first_events.referrer_host = own_hosts.own_host

),

final as (

    select
        session_id,
        event_name,
        page_type,
        landing_page,
        device_type,
        country,
        utm_source,
        utm_medium,
        utm_campaign,
        lower(coalesce(
            utm_source,
            outside_host,
            click_source,
            case
                when utm_medium is not null or utm_campaign is not null
                    then '(not set)'
                else '(direct)'
            end
        )) as traffic_source,
        lower(coalesce(
            utm_medium,
            case when click_source is not null then 'cpc' end,
            case
                when utm_source is not null or utm_campaign is not null
                    then '(not set)'
                when outside_host is not null then 'referral'
                else '(none)'
            end
        )) as traffic_medium,
        lower(coalesce(utm_campaign, '(not set)')) as traffic_campaign
    from referred

)

select * from final
