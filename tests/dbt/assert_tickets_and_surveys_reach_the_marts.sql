-- What dq_row_counts calls staged is what the marts hold, row by row.
with mart_rows as (

    select
        'tickets' as table_name,
        count(*) as mart_rows
    from {{ ref('fct_support_tickets') }}
    union all
    select
        'nps_surveys' as table_name,
        count(*) as mart_rows
    from {{ ref('fct_nps_responses') }}

),

row_counts as (

    select * from {{ ref('dq_row_counts') }}

)

select row_counts.table_name
from row_counts
inner join mart_rows on row_counts.table_name = mart_rows.table_name
where mart_rows.mart_rows <> row_counts.staged_rows
