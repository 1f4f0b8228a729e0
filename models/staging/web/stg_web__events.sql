{% set contract = raw_contract('web', 'events') %}
{% set good_bucket %}case
                when anonymous_id is null then 'no_device'
                when
                    user_agent in (select user_agent from excluded_agents)
                    or page_url in (select page_url from excluded_pages)
                    or anonymous_id in (select anonymous_id from excluded_devices)
                    then 'bot'
                else 'staged'
            end{% endset %}

with traffic_rules as (

    select * from {{ ref('traffic_rules') }}

),

event_names as (

    select
        source_name,
        event_name as our_event_name,
        is_interaction
    from {{ ref('event_names') }}

),

typed as {{ not_materialized() }} (

    select
        {{ typed_columns(contract) }}
    from {{ source('web', 'events') }}

),

-- the rules look at each agent, page and device once, read from the raw column alone
agents as (

    select distinct {{ raw_column(contract, 'user_agent') }} as user_agent
    from {{ source('web', 'events') }}

),

pages as (

    select distinct {{ raw_column(contract, 'page_url') }} as page_url
    from {{ source('web', 'events') }}

),

devices as (

    select distinct {{ raw_column(contract, 'anonymous_id') }} as anonymous_id
    from {{ source('web', 'events') }}

),

excluded_agents as (

    select agents.user_agent
    from agents
    inner join traffic_rules
        on
            traffic_rules.field = 'user_agent'
            and {{ matches_pattern('agents.user_agent', 'traffic_rules.pattern') }}

),

excluded_pages as (

    select pages.page_url
    from pages
    inner join traffic_rules
        on
            traffic_rules.field = 'page_url'
            and {{ matches_pattern('pages.page_url', 'traffic_rules.pattern') }}

),

excluded_devices as (

    select devices.anonymous_id
    from devices
    inner join traffic_rules
        on
            traffic_rules.field = 'anonymous_id'
            and {{ matches_pattern('devices.anonymous_id', 'traffic_rules.pattern') }}

),

{{ repeated_keys(source('web', 'events'), contract) }},

judged as {{ not_materialized() }} (

    select
        typed.*,
        coalesce(event_names.our_event_name, typed.event_name) as our_event_name,
        coalesce(event_names.is_interaction, false) as is_interaction,
        {{ row_reason(contract) }} as quarantine_reason,
        {{ is_after_as_of(contract) }} as is_after_as_of,
        {{ is_repeated() }} as is_repeated
    from typed
    left join repeated_keys on typed.row_key = repeated_keys.repeated_key
    left join event_names on lower(typed.event_name) = lower(event_names.source_name)

),

{{ bucketed_rows(contract, good_bucket) }},

final as (

    select
        is_interaction,
        {{ staged_columns(contract, {'event_name': 'our_event_name'}) }}
    from bucketed

)

select * from final
