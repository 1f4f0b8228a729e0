-- Does the money add up? By month and currency of the orders: the totals in the files,
-- what was set aside, what the marts kept (all in the order's currency, tax in), and
-- what moved in the month (base currency, without tax). unaccounted_total is 0 but for
-- fractions of a cent; refunds and cancellations stand in the month they happened in.
with raw_orders as (

    select
        {{ month_of(reporting_date(utc_timestamp('ordered_at'))) }} as month,
        nullif(upper({{ trimmed('cast(currency as varchar)') }}), '') as currency,
        try_cast(order_total as decimal(18, 6)) as order_total
    from {{ source('storefront', 'orders') }}

),

staged_orders as (

    select
        *,
        {{ month_of(reporting_date('ordered_at')) }} as month
    from {{ ref('stg_storefront__orders') }}

),

orders as (

    select
        *,
        {{ month_of('order_date') }} as month
    from {{ ref('fct_orders') }}

),

movements as (

    select
        *,
        {{ month_of('moved_date') }} as month
    from {{ ref('fct_sales_movements') }}

),

-- a staged order may still be set aside: it has no rate
orders_without_rate as (

    select staged_orders.*
    from staged_orders
    anti join orders on staged_orders.order_id = orders.order_id
    where staged_orders.row_bucket = 'staged'

),

amounts as (

    select
        month,
        currency,
        'raw' as kind,
        order_total as amount
    from raw_orders
    union all
    select
        month,
        currency,
        'set_aside' as kind,
        order_total as amount
    from staged_orders
    where row_bucket <> 'staged'
    union all
    select
        month,
        currency,
        'set_aside' as kind,
        order_total as amount
    from orders_without_rate
    union all
    select
        month,
        original_currency as currency,
        'kept' as kind,
        original_total as amount
    from orders
    union all
    select
        movements.month,
        orders.original_currency as currency,
        movements.movement_kind as kind,
        movements.net_revenue as amount
    from movements
    inner join orders on movements.order_id = orders.order_id

),

final as (

    select
        month,
        currency,
        count(case when kind = 'raw' then 1 end) as raw_rows,
        {% for kind in ['raw', 'set_aside', 'kept'] -%}
        cast(
            sum(case when kind = '{{ kind }}' then amount else 0 end) as decimal(18, 2)
        ) as {{ kind }}_total,
        {% endfor -%}
        cast(
            sum(
                case
                    when kind = 'raw' then amount
                    when kind in ('set_aside', 'kept') then -amount
                    else 0
                end
            ) as decimal(18, 2)
        ) as unaccounted_total,
        {% for kind in ['sale', 'refund', 'cancellation'] -%}
        cast(
            sum(case when kind = '{{ kind }}' then amount else 0 end) as decimal(18, 2)
        ) as {{ kind }}_net_revenue,
        {% endfor -%}
        cast(
            sum(
                case when kind in ('raw', 'set_aside', 'kept') then 0 else amount end
            ) as decimal(18, 2)
        ) as net_revenue
    from amounts
    group by all

)

select * from final
order by month asc nulls last, currency asc nulls last
