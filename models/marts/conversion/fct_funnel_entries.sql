{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'person': 'person_id', 'entrant': 'person_id'}},
    pre_hook=[
        "{{ touch('person', this, 'person_id', touched('session', 'session_id')) }}",
        "{{ touch('person', this, 'person_id', 'is_mature <> (entered_at + interval 1 second * (
            select coalesce(sum(steps.window_hours), 0) * 3600 from ' ~ ref('funnel_steps') ~ ' as steps
            where steps.step_number > 1 and steps.funnel_name = ' ~ this.name ~ '.funnel_name
        ) <= (select max(as_of) from ' ~ ref('int_settings') ~ '))') }}",
    ],
) }}

{% set steps = range(1, 9) %}

with entries as (

    select * from {{ ref('int_funnel_entries') }}
    where {{ touched(['person', 'entrant'], 'person_id') }}

),

landed as (

    select * from {{ ref('int_sessions_landed') }}

),

channels as (

    select * from {{ ref('int_session_channels') }}

),

funnels as (

    select
        funnel_name,
        max(step_number) as step_count,
        coalesce(
            sum(case when step_number > 1 then window_hours end), 0
        ) as window_hours
    from {{ ref('funnel_steps') }}
    group by funnel_name

),

settings as (

    select * from {{ ref('int_settings') }}

),

timed as (

    select
        entries.*,
        funnels.step_count,
        entries.step_1_at
        + interval '1' second * (funnels.window_hours * 3600) as closes_at
    from entries
    inner join funnels on entries.funnel_name = funnels.funnel_name

),

final as (

    select
        timed.funnel_name,
        timed.person_id,
        timed.step_1_at as entered_at,
        {% for step in steps -%}
        timed.step_{{ step }}_at,
        {% endfor -%}
        cast(timed.furthest_step as integer) as furthest_step,
        timed.furthest_step = timed.step_count as is_converted,
        timed.closes_at <= settings.as_of as is_mature,
        {% for step in steps if step > 1 -%}
        case
            when timed.next_{{ step }}_at <= timed.closes_at
                then timed.next_{{ step }}_at
        end as step_{{ step }}_open_at,
        {% endfor -%}
        timed.session_id,
        coalesce(landed.device_type, 'unknown') as device_type,
        channels.channel_group
    from timed
    inner join landed on timed.session_id = landed.session_id
    inner join channels on timed.session_id = channels.session_id
    cross join settings

)

select * from final
