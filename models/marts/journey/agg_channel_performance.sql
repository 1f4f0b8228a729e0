{% set models = attribution_models() %}

with credits as (

    select * from {{ ref('int_order_credits') }}

),

credited as (

    select * from {{ ref('int_channel_credits') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where not is_cancelled

),

ad_spend as (

    select * from {{ ref('fct_ad_spend') }}

),

valued as (

    select * from {{ ref('int_channel_values') }}

),

untouched as (

    select
        {{ month_of('orders.order_date') }} as order_month,
        'unattributed' as channel_group,
        count(*) as orders,
        sum(cast(orders.net_sales as double)) as sales,
        sum(
            case
                when orders.cost_quality <> 'unknown'
                    then cast(orders.net_sales as double)
            end
        ) as known_sales,
        sum(orders.net_revenue) as revenue,
        sum(orders.contribution_margin) as margin,
        bool_and(orders.cost_quality <> 'unknown') as is_cost_known
    from orders
    anti join credits on orders.order_id = credits.order_id
    group by all

),

spent as (

    select
        {{ month_of('spend_date') }} as order_month,
        channel_group,
        sum(spend) as spend
    from ad_spend
    group by all

),

earned as (

    select * from credited
    {% for model in models -%}
    union all
    select
        order_month,
        channel_group,
        '{{ model }}' as attribution_model,
        orders,
        sales,
        known_sales,
        revenue,
        margin as known_margin,
        is_cost_known
    from untouched
    union all
    -- a channel that money went to and nothing came from is a row as well
    select
        order_month,
        channel_group,
        '{{ model }}' as attribution_model,
        0 as orders,
        0 as sales,
        0 as known_sales,
        0 as revenue,
        0 as known_margin,
        true as is_cost_known
    from spent
    {% endfor %}

),

-- thirds add up to one in whatever order they come
summed as (

    select
        order_month,
        channel_group,
        attribution_model,
        round(sum(orders), 9) as orders,
        sum(revenue) as revenue,
        sum(known_margin) as known_margin,
        bool_and(is_cost_known) as is_cost_known,
        round({{ cost_known_share(
            'sum(coalesce(known_sales, 0))', 'sum(sales)'
        ) }}, 9) as cost_known_share
    from earned
    group by all

),

final as (

    select
        summed.order_month as period_month,
        summed.channel_group,
        summed.attribution_model,
        cast(coalesce(spent.spend, 0) as decimal(18, 2)) as spend,
        cast(summed.orders as double) as orders,
        cast(summed.revenue as decimal(18, 2)) as revenue,
        cast({{ margin_if_known('summed') }} as decimal(18, 2)) as margin,
        case
            when coalesce(valued.is_known, true) then coalesce(valued.clv, 0)
        end as clv,
        cast(summed.cost_known_share as double) as cost_known_share,
        cast(coalesce(spent.spend, 0) as double)
        / nullif(summed.orders, 0) as cost_per_order,
        cast(summed.revenue as double)
        / nullif(cast(spent.spend as double), 0) as return_on_ad_spend,
        case
            when
                coalesce(valued.is_known, true)
                and max(valued.value_basis) over () = 'margin'
                then
                    cast(coalesce(valued.clv, 0) as double)
                    / nullif(cast(spent.spend as double), 0)
        end as clv_to_cac
    from summed
    left join spent
        on
            summed.order_month = spent.order_month
            and summed.channel_group = spent.channel_group
    left join valued
        on
            summed.order_month = valued.order_month
            and summed.channel_group = valued.channel_group
            and summed.attribution_model = valued.attribution_model

)

select * from final
