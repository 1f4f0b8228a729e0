{% set steps = range(1, 9) %}

with entries as (

    select
        *,
        {{ reporting_date('entered_at') }} as entry_date
    from {{ ref('fct_funnel_entries') }}

),

funnel_steps as (

    select * from {{ ref('funnel_steps') }}

),

-- one row per entry and step of its funnel, reached or not
entry_steps as (

    select
        entries.funnel_name,
        entries.entry_date,
        funnel_steps.step_number,
        funnel_steps.step_name,
        entries.device_type,
        entries.channel_group,
        entries.is_mature,
        entries.furthest_step >= funnel_steps.step_number as is_reached,
        entries.furthest_step >= funnel_steps.step_number - 1 as is_previous_reached,
        case funnel_steps.step_number
            when 1 then true
            {% for step in steps if step > 1 -%}
            when {{ step }} then entries.step_{{ step }}_open_at is not null
            {% endfor -%}
        end as is_reached_open,
        case funnel_steps.step_number
            {% for step in steps if step > 1 -%}
            when {{ step }} then {{ dbt.datediff(
                'entries.step_' ~ (step - 1) ~ '_at', 'entries.step_' ~ step ~ '_at', 'millisecond'
            ) }}
            {% endfor -%}
        end / 3600000.0 as hours_from_previous
    from entries
    inner join funnel_steps on entries.funnel_name = funnel_steps.funnel_name

),

counted as (

    select
        funnel_name,
        entry_date,
        step_number,
        step_name,
        device_type,
        channel_group,
        count(*) as entered,
        count(*) filter (where is_mature) as entered_mature,
        count(*) filter (where is_reached) as reached,
        count(*) filter (where is_reached and is_mature) as reached_mature,
        count(*) filter (where is_reached_open) as reached_open,
        count(*) filter (where is_previous_reached) as previous_reached,
        median(cast(hours_from_previous as double)) as median_hours_from_previous
    from entry_steps
    group by all

),

final as (

    select
        funnel_name,
        entry_date,
        step_number,
        device_type,
        channel_group,
        step_name,
        cast(entered as integer) as entered,
        cast(entered_mature as integer) as entered_mature,
        cast(reached as integer) as reached,
        cast(reached_mature as integer) as reached_mature,
        cast(reached_open as integer) as reached_open,
        cast(reached as double) / entered as conversion_rate_naive,
        cast(reached_mature as double)
        / nullif(entered_mature, 0) as conversion_rate_mature,
        case
            when step_number > 1
                then cast(reached as double) / nullif(previous_reached, 0)
        end as rate_of_previous_step,
        median_hours_from_previous
    from counted

)

select * from final
