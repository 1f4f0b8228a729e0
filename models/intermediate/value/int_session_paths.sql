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

intents as (

    select * from {{ ref('int_session_intents') }}

),

session_orders as (

    select
        session_id,
        max(ordered_at) as last_ordered_at
    from {{ ref('int_order_sessions') }}
    where session_id is not null
    group by session_id

),

rules as (

    select
        *,
        row_number() over (order by micro_conversion) - 1 as step_number
    from {{ ref('micro_conversions') }}

),

session_steps as (

    select * from {{ ref('int_session_steps') }}

),

-- that a session bounced is known when its time for more is over, after all it did
steps as (

    select
        session_steps.session_id,
        rules.step_number,
        case
            when rules.event_name = 'bounce'
                then
                    session_steps.occurred_at
                    + interval '{{ var('bounce_max_seconds') }}' second
            else session_steps.occurred_at
        end as occurred_at
    from session_steps
    inner join rules on session_steps.micro_conversion = rules.micro_conversion

),

paths as (

    select
        session_id,
        {{ list_of_rows(['occurred_at', 'step_number']) }} as steps
    from steps
    group by session_id

),

final as (

    select
        owned.session_id,
        {{ hash_as_number('owned.person_id') }} as person_key,
        owned.started_at,
        landed.device_type,
        channels.channel_group,
        intents.intent,
        session_orders.last_ordered_at,
        paths.steps
    from owned
    inner join landed on owned.session_id = landed.session_id
    inner join channels on owned.session_id = channels.session_id
    inner join intents on owned.session_id = intents.session_id
    left join session_orders on owned.session_id = session_orders.session_id
    left join paths on owned.session_id = paths.session_id

)

select * from final
