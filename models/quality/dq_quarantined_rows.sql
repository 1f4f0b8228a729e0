with across_tables as (
    select * from {{ ref('int_rows_quarantined_across_tables') }}

),

quarantined as (

    select
        quarantine_id,
        source_name,
        table_name,
        row_key,
        quarantine_reason,
        raw_row
    from {{ ref('int_staged_rows') }}
    where row_bucket = 'quarantined'
    union all
    select
        quarantine_id,
        source_name,
        table_name,
        row_key,
        quarantine_reason,
        raw_row
    from across_tables

),

final as (

    select
        quarantine_id,
        source_name,
        table_name,
        row_key,
        split_part(quarantine_reason, ': ', 1) as reason_code,
        quarantine_reason as reason,
        raw_row
    from quarantined

)

select * from final
