with arrivals as (

    select
        source_name,
        table_name,
        loaded_at,
        happened_at
    from {{ ref('int_staged_rows') }}
    where loaded_at is not null

),

timed as (

    select
        source_name,
        table_name,
        {{ reporting_date('loaded_at') }} as loaded_date,
        coalesce(
            loaded_at > happened_at + interval '{{ var('late_arrival_days') }}' day,
            false
        ) as is_late,
        {{ seconds_between('happened_at', 'loaded_at') }} / 86400 as days_late
    from arrivals

),

final as (

    select
        source_name,
        table_name,
        loaded_date,
        count(*) as row_count,
        count(*) filter (where is_late) as late_row_count,
        cast(greatest(max(days_late), 0) as double) as days_late_max
    from timed
    group by all

)

select * from final
