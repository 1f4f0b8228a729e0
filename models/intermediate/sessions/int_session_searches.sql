{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'device': 'anonymous_id'}, 'emits': {'session': 'session_id'}},
) }}

with events as (

    select
        event_id,
        session_id,
        anonymous_id,
        occurred_at,
        device_event_number,
        event_name
    from {{ ref('int_events_sessionised') }}
    where
        event_name in ('search', 'product_view')
        and {{ touched('device', 'anonymous_id') }}

),

terms as (

    select
        event_id,
        nullif(lower(trim({{ replaced_blanks('search_term') }})), '') as search_term,
        -- fewer than none is a search engine's word for not knowing
        case when search_result_count >= 0 then search_result_count end
            as search_result_count
    from {{ ref('stg_web__events') }}
    where
        row_bucket = 'staged'
        and event_name = 'search'
        and {{ touched('device', 'anonymous_id') }}

),

sessions_with_search as (

    select session_id
    from events
    where event_name = 'search'
    group by session_id

),

-- elsewhere nobody asks what was seen after a search
followed as (

    select events.*
    from events
    semi join sessions_with_search
        on events.session_id = sessions_with_search.session_id

),

counted as (

    select
        *,
        sum(case when event_name = 'product_view' then 1 else 0 end) over (
            partition by session_id
            order by device_event_number
            rows between unbounded preceding and current row
        ) as views_before,
        sum(case when event_name = 'product_view' then 1 else 0 end) over (
            partition by session_id
        ) as views_in_session
    from followed

),

searches as (

    select
        counted.*,
        terms.search_term,
        terms.search_result_count
    from counted
    inner join terms on counted.event_id = terms.event_id

),

-- what was seen between this search and the next belongs to this one
final as (

    select
        event_id,
        session_id,
        anonymous_id,
        occurred_at,
        search_term,
        search_result_count,
        coalesce(
            search_term <> lag(search_term) over session_history
            and views_before = lag(views_before) over session_history,
            false
        ) as is_refinement,
        coalesce(lead(views_before) over session_history, views_in_session)
        > views_before as led_to_product_view
    from searches
    window session_history as (partition by session_id order by device_event_number)

)

select * from final
