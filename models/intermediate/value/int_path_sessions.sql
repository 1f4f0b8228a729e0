-- read once, by the model that values what is in it
{{ config(materialized='view') }}

with owned as (

    select * from {{ ref('int_sessions_owned') }}

),

landed as (

    select * from {{ ref('int_sessions_landed') }}

),

channels as (

    select * from {{ ref('int_session_channels') }}

),

session_orders as (

    select
        session_id,
        max(ordered_at) as last_ordered_at
    from {{ ref('int_order_sessions') }}
    where session_id is not null
    group by session_id

),

final as (

    select
        {{ text_as_number('owned.person_id') }} as person_key,
        {{ text_as_number('owned.session_id') }} as session_key,
        owned.started_at,
        landed.device_type,
        channels.channel_group,
        landed.intent,
        session_orders.last_ordered_at
    from owned
    inner join landed on owned.session_id = landed.session_id
    inner join channels on owned.session_id = channels.session_id
    left join session_orders on owned.session_id = session_orders.session_id

)

select * from final
