{{ config(materialized='view') }}

with landed as (

    select * from {{ ref('int_sessions_landed') }}

),

own_hosts as (

    select * from {{ ref('int_own_hosts') }}

),

-- a page of the shop itself, under whichever of its names, is no referrer
referred as (

    select
        landed.*,
        case
            when
                own_hosts.own_host is not null
                or landed.referrer_host = landed.page_host
                or right(landed.referrer_host, length(landed.page_host) + 1)
                = '.' || landed.page_host
                or right(landed.page_host, length(landed.referrer_host) + 1)
                = '.' || landed.referrer_host
                then null
            else landed.referrer_host
        end as outside_host
    from landed
    left join own_hosts on landed.referrer_host = own_hosts.own_host

),

final as (

    select
        session_id,
        anonymous_id,
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
