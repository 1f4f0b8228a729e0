-- What became of the rows of each raw table, and why were rows set aside? The three
-- most frequent reasons by table; the rows themselves are in dq_quarantined_rows.
{% set reasons_shown = 3 %}

with row_counts as (

    select * from {{ ref('dq_row_counts') }}
    where raw_rows > 0

),

quarantined_rows as (

    select * from {{ ref('dq_quarantined_rows') }}

),

reasons as (

    select
        source_name,
        table_name,
        reason_code,
        count(*) as row_count
    from quarantined_rows
    group by all

),

ranked as (

    select
        *,
        row_number() over (
            partition by source_name, table_name
            order by row_count desc, reason_code asc
        ) as reason_rank
    from reasons

),

top_reasons as (

    select
        source_name,
        table_name,
        string_agg(
            reason_code || ' (' || row_count || ')', ', ' order by reason_rank
        ) as reasons
    from ranked
    where reason_rank <= {{ reasons_shown }}
    group by all

),

final as (

    select
        row_counts.*,
        row_counts.quarantined_rows
        / cast(row_counts.raw_rows as double) as quarantined_share,
        top_reasons.reasons as top_reasons
    from row_counts
    left join top_reasons
        on
            row_counts.source_name = top_reasons.source_name
            and row_counts.table_name = top_reasons.table_name

)

select * from final
order by quarantined_share desc, source_name asc, table_name asc
