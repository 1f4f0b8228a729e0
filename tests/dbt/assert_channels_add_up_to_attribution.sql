-- Model by model the channels of a month share what its orders brought and cost.
with orders as (

    select
        {{ month_of('order_date') }} as period_month,
        count(*) as orders,
        sum(net_revenue) as revenue
    from {{ ref('fct_orders') }}
    where not is_cancelled
    group by all

),

first_orders as (

    select
        {{ month_of('fct_orders.order_date') }} as period_month,
        sum(fct_person_economics.value_first_365d) as clv
    from {{ ref('fct_person_economics') }}
    inner join {{ ref('fct_orders') }}
        on
            fct_person_economics.person_id = fct_orders.person_id
            and fct_orders.is_first_order
    group by all

),

ad_spend as (

    select
        {{ month_of('spend_date') }} as period_month,
        sum(spend) as spend
    from {{ ref('fct_ad_spend') }}
    group by all

),

channels as (

    select
        period_month,
        attribution_model,
        sum(orders) as orders,
        sum(revenue) as revenue,
        sum(clv) as clv,
        count(*) = count(clv) as is_clv_known,
        sum(spend) as spend
    from {{ ref('agg_channel_performance') }}
    group by all

),

months as (

    select period_month from orders
    union distinct
    select period_month from ad_spend

)

select
    months.period_month,
    channels.attribution_model
from months
left join channels on months.period_month = channels.period_month
left join orders on months.period_month = orders.period_month
left join first_orders on months.period_month = first_orders.period_month
left join ad_spend on months.period_month = ad_spend.period_month
where
    channels.period_month is null
    or abs(channels.orders - coalesce(orders.orders, 0)) > 1e-6
    or channels.revenue <> coalesce(orders.revenue, 0)
    or (
        channels.is_clv_known and channels.clv <> coalesce(first_orders.clv, 0)
    )
    or channels.spend <> coalesce(ad_spend.spend, 0)
