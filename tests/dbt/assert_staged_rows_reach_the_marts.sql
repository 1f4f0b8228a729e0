-- What dq_row_counts calls staged is what the marts hold, table by table.
with mart_rows as (

    {% for table_name, relation in {
        'orders': ref('fct_orders'),
        'order_items': ref('fct_order_items'),
        'refunds': ref('fct_refunds'),
        'deliveries': ref('fct_deliveries'),
        'products': ref('dim_products'),
        'promotions': ref('dim_promotions'),
    }.items() -%}
    select
        '{{ table_name }}' as table_name,
        count(*) as mart_rows
    from {{ relation }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

quarantined as (

    select
        source_name,
        table_name,
        count(*) as listed_rows
    from {{ ref('dq_quarantined_rows') }}
    group by all

),

row_counts as (

    select * from {{ ref('dq_row_counts') }}

)

select row_counts.table_name
from row_counts
left join mart_rows
    on
        row_counts.source_name = 'storefront'
        and row_counts.table_name = mart_rows.table_name
left join quarantined
    on
        row_counts.source_name = quarantined.source_name
        and row_counts.table_name = quarantined.table_name
where
    mart_rows.mart_rows <> row_counts.staged_rows
    or coalesce(quarantined.listed_rows, 0) <> row_counts.quarantined_rows
