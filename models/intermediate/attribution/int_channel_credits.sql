{% set models = attribution_models() %}

with credits as (

    select * from {{ ref('int_order_credits') }}

),

markov as (

    select * from {{ ref('int_markov_credits') }}

),

-- per month and channel first: a column for each model, then a row; an order that a
-- model credits elsewhere says nothing of what is known
touched as (

    select
        {% for model in models if model != 'markov' -%}
        sum({{ model }}_credit * order_count) as {{ model }}_orders,
        sum({{ model }}_credit * order_sales) as {{ model }}_sales,
        sum(
            case when order_margin is not null then {{ model }}_credit * order_sales end
        ) as {{ model }}_known_sales,
        sum({{ model }}_revenue) as {{ model }}_revenue,
        sum(
            case when {{ model }}_credit = 0 then 0 else {{ model }}_margin end
        ) as {{ model }}_margin,
        bool_and(
            order_margin is not null or {{ model }}_credit = 0
        ) as {{ model }}_is_cost_known,
        {% endfor -%}
        order_month,
        channel_group
    from credits
    where order_count > 0
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
        sum(
            case when markov_credit = 0 then 0 else markov_margin end
        ) as markov_margin,
        bool_and(order_margin is not null or markov_credit = 0) as markov_is_cost_known
    from markov
    where order_count > 0
    group by all

),

final as (

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
        {{ model }}_is_cost_known as is_cost_known
    from touched
    {% if model == 'markov' -%}
    inner join touched_by_markov
        on
            touched.order_month = touched_by_markov.order_month
            and touched.channel_group = touched_by_markov.channel_group
    {% endif -%}
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from final
