{% set utm_columns = ['utm_source', 'utm_medium', 'utm_campaign'] %}
{% set click_parameters = ['gclid', 'gbraid', 'wbraid', 'dclid', 'msclkid', 'ttclid'] %}

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
        events.click_id is not null
        or coalesce({{ matches_pattern(
            'events.page_url', "'[?&](" ~ click_parameters | join('|') ~ ")='"
        ) }}, false) as has_click_id
    from sessions
    inner join events on sessions.first_event_id = events.event_id

),

-- a page of the shop itself is no referrer
referred as (

    select
        *,
        case
            when
                referrer_host = page_host
                or referrer_host like '%.' || page_host
                or page_host like '%.' || referrer_host
                then null
            else referrer_host
        end as outside_host
    from first_events

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
            case when has_click_id then '{{ var('click_id_source') }}' end,
            case
                when utm_medium is not null or utm_campaign is not null
                    then '(not set)'
                else '(direct)'
            end
        )) as traffic_source,
        lower(coalesce(
            utm_medium,
            case when has_click_id then 'cpc' end,
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
