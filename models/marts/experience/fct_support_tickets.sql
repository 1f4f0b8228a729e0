with tickets as (

    select * from {{ ref('stg_support__tickets') }}
    where row_bucket = 'staged'

),

identifiers as (

    select * from {{ ref('int_identifiers_resolved') }}

),

support_sla as (

    select * from {{ ref('support_sla') }}

),

settings as (

    select * from {{ ref('int_settings') }}

),

agent_rates as (

    select max(value) as cost_per_minute
    from {{ ref('cost_assumptions') }}
    where cost_kind = 'agent_minute'

),

{{ owned_rows('tickets') }},

contacts as (

    select
        ticket_id,
        lag(created_at) over (
            partition by person_id
            order by created_at, ticket_id
        ) as previous_contact_at
    from owned
    where person_id is not null

),

-- what is promised for the priority, else for the channel
measured as (

    select
        owned.*,
        coalesce(priority_sla.hours, channel_sla.hours) as sla_hours,
        agent_rates.cost_per_minute,
        contacts.previous_contact_at,
        {{ hours_between('owned.created_at', 'owned.first_responded_at') }}
            as first_response_hours,
        {{ hours_between('owned.created_at', 'owned.resolved_at') }}
            as resolution_hours,
        {{ hours_between('owned.created_at', 'settings.as_of') }} as age_hours
    from owned
    left join contacts on owned.ticket_id = contacts.ticket_id
    left join support_sla as priority_sla
        on
            owned.channel = priority_sla.channel
            and lower(owned.priority) = lower(priority_sla.priority)
    left join support_sla as channel_sla
        on
            owned.channel = channel_sla.channel
            and channel_sla.priority is null
    cross join agent_rates
    cross join settings

),

final as (

    select
        ticket_id,
        person_id,
        order_id,
        channel,
        category,
        priority,
        status,
        created_at,
        first_responded_at,
        resolved_at,
        first_response_hours,
        resolution_hours,
        sla_hours,
        -- what was never answered is as late as as_of makes it
        coalesce(first_response_hours, age_hours) > sla_hours as is_sla_breached,
        reopen_count > 0 as is_reopened,
        coalesce(
            created_at
            <= previous_contact_at + interval '{{ var('repeat_contact_days') }}' day,
            false
        ) as is_repeat_contact,
        cast(satisfaction_score as integer) as satisfaction_score,
        agent_minutes,
        -- working time that no ticket can take has no cost
        {{ to_cents(
            'try_cast(agent_minutes * cost_per_minute as decimal(18, 6))'
        ) }} as cost_to_serve
    from measured

)

select * from final
