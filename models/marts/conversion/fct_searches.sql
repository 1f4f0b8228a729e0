{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'session': 'session_id'}},
) }}

with searches as (

    select * from {{ ref('int_session_searches') }}
    where {{ touched('session', 'session_id') }}

),

owned as (

    select * from {{ ref('int_sessions_owned') }}
    where {{ touched('session', 'session_id') }}

),

last_orders as (

    select
        session_id,
        max(ordered_at) as last_order_at
    from {{ ref('int_order_sessions') }}
    where session_id is not null and {{ touched('session', 'session_id') }}
    group by session_id

),

final as (

    select
        searches.event_id,
        searches.session_id,
        owned.person_id,
        searches.search_term,
        searches.search_result_count as result_count,
        searches.search_result_count = 0 as is_zero_result,
        searches.is_refinement,
        searches.led_to_product_view,
        coalesce(
            last_orders.last_order_at >= searches.occurred_at, false
        ) as led_to_order
    from searches
    inner join owned on searches.session_id = owned.session_id
    left join last_orders on searches.session_id = last_orders.session_id

)

select * from final
