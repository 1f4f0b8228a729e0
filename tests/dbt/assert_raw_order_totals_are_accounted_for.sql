-- By currency, the order totals in the files are those of fct_orders and of rows set
-- aside: the files are read again here, with a cast of its own. Only totals that are
-- no number at all fall out of both sides. A total counts in cents, as the mart has it.
with orders as (

    select * from {{ ref('stg_storefront__orders') }}

),

fct_orders as (

    select * from {{ ref('fct_orders') }}

),

raw_orders as (

    select
        coalesce(upper({{ trimmed('cast(currency as varchar)') }}), '') as currency,
        sum(cast(try_cast(order_total as decimal(18, 6)) as decimal(18, 2)))
            as raw_total
    from {{ source('storefront', 'orders') }}
    group by all

),

staged_rows as (

    select
        coalesce(currency, '') as currency,
        sum(cast(order_total as decimal(18, 2))) filter (where row_bucket <> 'staged')
            as set_aside_total
    from orders
    group by all

),

orders_without_rate as (

    select
        orders.currency,
        sum(cast(orders.order_total as decimal(18, 2))) as set_aside_total
    from orders
    anti join fct_orders on orders.order_id = fct_orders.order_id
    where orders.row_bucket = 'staged'
    group by orders.currency

),

kept_orders as (

    select
        original_currency as currency,
        sum(original_total) as kept_total
    from fct_orders
    group by original_currency

)

select
    raw_orders.currency,
    raw_orders.raw_total
from raw_orders
left join staged_rows on raw_orders.currency = staged_rows.currency
left join orders_without_rate on raw_orders.currency = orders_without_rate.currency
left join kept_orders on raw_orders.currency = kept_orders.currency
where
    coalesce(raw_orders.raw_total, 0)
    <> coalesce(staged_rows.set_aside_total, 0)
    + coalesce(orders_without_rate.set_aside_total, 0)
    + coalesce(kept_orders.kept_total, 0)
