{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {'own_host': 'own_host'}},
) }}

with landed as (

    select * from {{ ref('int_sessions_landed') }}

),

traffic_sources as (

    select * from {{ ref('traffic_sources') }}

),

hosts as (

    select page_host
    from landed
    where page_host is not null
    group by page_host

),

-- what claims to be a page of a search engine or network is a forged event
final as (

    select hosts.page_host as own_host
    from hosts
    left join traffic_sources
        on
            {{ matches_pattern(
                'hosts.page_host', 'traffic_sources.source_pattern'
            ) }}
    where traffic_sources.source_pattern is null

)

select * from final
