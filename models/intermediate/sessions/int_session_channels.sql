{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'device': 'anonymous_id'}, 'emits': {'session': 'session_id'}},
    pre_hook="{{ touch(
        'device', ref('int_sessions_landed'), 'anonymous_id', touched('own_host', 'referrer_host')
    ) }}",
) }}

with landed as (

    select * from {{ ref('int_session_sources') }}
    where {{ touched('device', 'anonymous_id') }}

),

channel_rules as (

    select * from {{ ref('channel_rules') }}

),

traffic_sources as (

    select * from {{ ref('traffic_sources') }}

),

-- rules look at each combination once, however many sessions share it
combinations as (

    select
        traffic_source,
        traffic_medium,
        traffic_campaign
    from landed
    group by all

),

sources as (

    select traffic_source
    from combinations
    group by traffic_source

),

categories as (

    select
        sources.traffic_source,
        traffic_sources.source_category
    from sources
    inner join traffic_sources
        on
            {{ matches_pattern(
                'sources.traffic_source', 'traffic_sources.source_pattern'
            ) }}
    group by all

),

-- every condition that a rule states must hold; the first rule wins
matches as (

    select
        combinations.traffic_source,
        combinations.traffic_medium,
        combinations.traffic_campaign,
        min_by(channel_rules.channel_group, channel_rules.rule_number) as channel_group
    from combinations
    left join categories on combinations.traffic_source = categories.traffic_source
    inner join channel_rules
        on
            coalesce(channel_rules.source_category, '')
            in ('', categories.source_category)
            and {{ matches_pattern(
                'combinations.traffic_source', "coalesce(channel_rules.source_pattern, '')"
            ) }}
            and {{ matches_pattern(
                'combinations.traffic_medium', "coalesce(channel_rules.medium_pattern, '')"
            ) }}
            and {{ matches_pattern(
                'combinations.traffic_campaign', "coalesce(channel_rules.campaign_pattern, '')"
            ) }}
    group by all

),

final as (

    select
        landed.session_id,
        landed.anonymous_id,
        coalesce(matches.channel_group, 'unassigned') as channel_group
    from landed
    left join matches
        on
            landed.traffic_source = matches.traffic_source
            and landed.traffic_medium = matches.traffic_medium
            and landed.traffic_campaign = matches.traffic_campaign

)

select * from final
