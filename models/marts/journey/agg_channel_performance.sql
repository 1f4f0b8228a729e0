{% set models = [
    'first_touch', 'last_touch', 'last_non_direct', 'linear', 'position_based',
    'time_decay', 'shapley', 'markov'
] %}

with credits as (

    select * from {{ ref('int_order_credits') }}

),

markov as (

    select * from {{ ref('int_markov_credits') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where not is_cancelled

),

ad_spend as (

    select * from {{ ref('fct_ad_spend') }}

),

first_credits as (

    select * from {{ ref('int_first_order_credits') }}

),

first_values as (

    select * from {{ ref('int_first_order_values') }}

),

models as (

    {% for model in models -%}
    select '{{ model }}' as attribution_model
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- per month and channel first: a column for each model, then a row
touched as (

    select
        order_month,
        channel_group,
        {% for model in models if model != 'markov' -%}
        sum({{ model }}_credit * order_count) as {{ model }}_orders,
        sum({{ model }}_credit * order_sales) as {{ model }}_sales,
        sum(
            case when order_margin is not null then {{ model }}_credit * order_sales end
        ) as {{ model }}_known_sales,
        sum({{ model }}_revenue) as {{ model }}_revenue,
        sum({{ model }}_margin) as {{ model }}_margin,
        {% endfor -%}
        bool_and(order_margin is not null) as is_cost_known
    from credits
    group by all

),

touched_by_markov as (

    select
        order_month,
        channel_group,
        sum(markov_credit * order_count) as markov_orders,
        sum(markov_credit * order_sales) as markov_sales,
        sum(
            case when order_margin is not null then markov_credit * order_sales end
        ) as markov_known_sales,
        sum(markov_revenue) as markov_revenue,
        sum(markov_margin) as markov_margin
    from markov
    group by all

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

-- what first orders are worth goes to the channels of their touches
valued as (

    {% for model in models -%}
    select
        order_month,
        channel_group,
        '{{ model }}' as attribution_model,
        sum({{ model }}_clv) as clv,
        count(*) as first_orders,
        count(order_clv) as valued_orders
    from first_credits
    group by all
    union all
    {% endfor -%}
    select
        first_values.order_month,
        'unattributed' as channel_group,
        models.attribution_model,
        sum(first_values.first_order_value) as clv,
        count(*) as first_orders,
        count(first_values.first_order_value) as valued_orders
    from first_values
    cross join models
    anti join credits on first_values.order_id = credits.order_id
    group by all

),

basis as (

    select max(value_basis) as value_basis
    from first_values

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

    {% for model in models -%}
    select
        touched.order_month,
        touched.channel_group,
        '{{ model }}' as attribution_model,
        {{ model }}_orders as orders,
        {{ model }}_sales as sales,
        {{ model }}_known_sales as known_sales,
        {{ model }}_revenue as revenue,
        {{ model }}_margin as known_margin,
        touched.is_cost_known
    from touched
    {% if model == 'markov' -%}
    inner join touched_by_markov
        on
            touched.order_month = touched_by_markov.order_month
            and touched.channel_group = touched_by_markov.channel_group
    {% endif -%}
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
    {{ 'union all' if not loop.last }}
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

priced as (

    select
        summed.*,
        coalesce(spent.spend, 0) as spend,
        basis.value_basis,
        case
            when
                coalesce(
                    valued.valued_orders
                    >= {{ var('cost_known_share_min') }} * valued.first_orders,
                    true
                )
                then coalesce(valued.clv, 0)
        end as clv
    from summed
    cross join basis
    left join spent
        on
            summed.order_month = spent.order_month
            and summed.channel_group = spent.channel_group
    left join valued
        on
            summed.order_month = valued.order_month
            and summed.channel_group = valued.channel_group
            and summed.attribution_model = valued.attribution_model

),

final as (

    select
        priced.order_month as period_month,
        priced.channel_group,
        priced.attribution_model,
        cast(priced.spend as decimal(18, 2)) as spend,
        cast(priced.orders as double) as orders,
        cast(priced.revenue as decimal(18, 2)) as revenue,
        cast({{ margin_if_known('priced') }} as decimal(18, 2)) as margin,
        cast(priced.clv as decimal(18, 2)) as clv,
        cast(priced.cost_known_share as double) as cost_known_share,
        cast(priced.spend as double) / nullif(priced.orders, 0) as cost_per_order,
        cast(priced.revenue as double)
        / nullif(cast(priced.spend as double), 0) as return_on_ad_spend,
        case
            when priced.value_basis = 'margin'
                then
                    cast(priced.clv as double)
                    / nullif(cast(priced.spend as double), 0)
        end as clv_to_cac
    from priced

)

select * from final
