{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'web.events': "coalesce(event_id, '')"},
        'emits': {'device': 'anonymous_id'},
    },
    pre_hook="{{ gather_raw_rows('web', 'events') }}",
) }}

{% set contract = raw_contract('web', 'events') %}
{% set good_bucket %}case
                when anonymous_id is null then 'no_device'
                when
                    user_agent in (select user_agent from excluded_user_agent)
                    or page_url__raw in (select page_url__raw from excluded_page_url)
                    or anonymous_id in (select anonymous_id from excluded_anonymous_id)
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

{{ repeated_keys(raw_rows(source('web', 'events')), contract) }},

-- marked before the cast: the second reading casts repeated rows alone
typed as {{ not_materialized() }} (

    select
        {{ typed_columns(contract) }},
        page_url as page_url__raw,
        repeated_keys.repeated_key
    from {{ raw_rows(source('web', 'events')) }}
    {{ join_repeated_keys(raw_row_key(contract)) }}

),

-- each value is looked at once, however many events carry it, and read by itself; a URL
-- as it stood in the file: rules may look for parameters that are stripped
{% for field in ['user_agent', 'page_url', 'anonymous_id'] -%}
{% set text = 'cast_' ~ field ~ '.' ~ field -%}
{% if field == 'page_url' -%}
{% set text = "nullif(" ~ trimmed('cast_page_url.page_url__raw') ~ ", '')" -%}
{% endif -%}
{{ field }}_values as (

    select distinct {{ field }}
    from {{ raw_rows(source('web', 'events')) }}

),

cast_{{ field }} as (

    select
        {{ raw_column(contract, field) }} as {{ field }},
        {{ field }} as {{ field }}__raw
    from {{ field }}_values

),

excluded_{{ field }} as (

    select
        cast_{{ field }}.{{ field }},
        cast_{{ field }}.{{ field }}__raw
    from cast_{{ field }}
    inner join traffic_rules
        on
            traffic_rules.field = '{{ field }}'
            and {{ matches_pattern(text, 'traffic_rules.pattern') }}

),

{% endfor -%}
judged as {{ not_materialized() }} (

    select
        typed.*,
        coalesce(event_names.our_event_name, typed.event_name) as our_event_name,
        coalesce(event_names.is_interaction, false) as is_interaction,
        {{ row_reason(contract) }} as quarantine_reason,
        {{ is_after_as_of(contract) }} as is_after_as_of,
        typed.repeated_key is not null or typed.row_key is null as is_repeated
    from typed
    left join event_names on lower(typed.event_name) = lower(event_names.source_name)

),

{{ bucketed_rows(contract, good_bucket, last_tie='page_url__raw') }},

final as (

    select
        is_interaction,
        {{ staged_columns(contract, {'event_name': 'our_event_name'}) }}
    from bucketed

)

select * from final
