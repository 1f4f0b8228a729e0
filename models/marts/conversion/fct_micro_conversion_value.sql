{% set enough = var('micro_conversion_min_sessions') %}

with valued as (

    select * from {{ ref('int_micro_conversions_valued') }}

),

-- margins by the rule of all margins: what is unknown of too many orders is unknown
known as (

    select
        valued.*,
        {{ is_margin_known('valued') }} as is_margin_known
    from valued

),

final as (

    select
        micro_conversion,
        segment_name,
        segment_value,
        cast(session_count as integer) as session_count,
        session_count / cast(segment_sessions as double) as reach_rate,
        converted_sessions
        / nullif(cast(session_count as double), 0) as conversion_rate_with,
        (segment_converted - converted_sessions)
        / nullif(cast(segment_sessions - session_count as double), 0)
            as conversion_rate_without,
        -- the same in whatever order it is summed
        cast(round(lift, 9) as double) as adjusted_lift,
        cast(round(lift_low, 9) as double) as adjusted_lift_low,
        cast(round(lift_high, 9) as double) as adjusted_lift_high,
        cast(round(matched_share, 9) as double) as matched_share,
        {% for reward in ['margin', 'clv'] -%}
        {% for end in ['', '_low', '_high'] -%}
        case
            when is_margin_known then cast(round({{ reward }}{{ end }}, 9) as double)
        end as state_value_{{ reward }}{{ end }},
        {% endfor -%}
        {% endfor -%}
        session_count >= {{ enough }}
        and segment_sessions - session_count >= {{ enough }} as sample_is_sufficient
    from known

)

select * from final
