{{ config(materialized='view') }}

{% set models = [
    'first_touch', 'last_touch', 'last_non_direct', 'linear', 'position_based',
    'time_decay', 'shapley'
] %}

-- without the name of the file: a reader may attach it under another
with credits as (

    select * from {{ ref('int_order_credits').include(database=false) }}

),

markov as (

    select * from {{ ref('int_markov_credits').include(database=false) }}

),

orders as (

    select * from {{ ref('fct_orders').include(database=false) }}

),

-- what no touch brought is shown, not dropped
unattributed as (

    select
        orders.order_id,
        case
            when orders.is_cancelled then 0 else orders.net_revenue
        end as order_revenue,
        case
            when orders.is_cancelled then 0 else orders.contribution_margin
        end as order_margin
    from orders
    anti join credits on orders.order_id = credits.order_id

),

long as (

    {% for model in models -%}
    select
        order_id,
        touchpoint_id,
        '{{ model }}' as attribution_model,
        {{ model }}_credit as credit,
        {{ model }}_revenue as attributed_revenue,
        {{ model }}_margin as attributed_margin
    from credits
    union all
    {% endfor -%}
    select
        order_id,
        touchpoint_id,
        'markov' as attribution_model,
        markov_credit as credit,
        markov_revenue as attributed_revenue,
        markov_margin as attributed_margin
    from markov
    {% for model in models + ['markov'] -%}
    union all
    select
        order_id,
        null as touchpoint_id,
        '{{ model }}' as attribution_model,
        1 as credit,
        order_revenue as attributed_revenue,
        order_margin as attributed_margin
    from unattributed
    {% endfor %}

),

final as (

    select
        order_id,
        touchpoint_id,
        attribution_model,
        cast(credit as double) as credit,
        cast(attributed_revenue as decimal(18, 2)) as attributed_revenue,
        cast(attributed_margin as decimal(18, 2)) as attributed_margin
    from long

)

select * from final
