{{ config(materialized='view') }}

{% set models = attribution_models() %}

-- without the name of the file: a reader may attach it under another
with credits as (

    select * from {{ ref('int_order_credits').include(database=false) }}

),

markov as (

    select * from {{ ref('int_markov_credits').include(database=false) }}

),

first_credits as (

    select * from {{ ref('int_first_order_credits').include(database=false) }}

),

first_values as (

    select * from {{ ref('int_first_order_values').include(database=false) }}

),

orders as (

    select * from {{ ref('fct_orders').include(database=false) }}

),

models as (

    {% for model in models -%}
    select '{{ model }}' as attribution_model
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- one row per touch, a column per model
wide as (

    select
        credits.order_id,
        credits.touchpoint_id,
        {% for model in models if model != 'markov' -%}
        credits.{{ model }}_credit,
        credits.{{ model }}_revenue,
        credits.{{ model }}_margin,
        {% endfor -%}
        markov.markov_credit,
        markov.markov_revenue,
        markov.markov_margin,
        {% for model in models -%}
        first_credits.{{ model }}_clv,
        {% endfor -%}
        credits.touch_number
    from credits
    inner join markov
        on
            credits.order_id = markov.order_id
            and credits.touchpoint_id = markov.touchpoint_id
    left join first_credits
        on
            credits.order_id = first_credits.order_id
            and credits.touchpoint_id = first_credits.touchpoint_id

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
        end as order_margin,
        first_values.first_order_value
    from orders
    left join first_values on orders.order_id = first_values.order_id
    anti join credits on orders.order_id = credits.order_id

),

long as (

    select
        wide.order_id,
        wide.touchpoint_id,
        models.attribution_model,
        {% for part in ['credit', 'revenue', 'margin', 'clv'] -%}
        case models.attribution_model
            {% for model in models -%}
            when '{{ model }}' then wide.{{ model }}_{{ part }}
            {% endfor %}
        end as attributed_{{ part }},
        {% endfor -%}
        wide.touch_number
    from wide
    cross join models
    union all
    select
        unattributed.order_id,
        null as touchpoint_id,
        models.attribution_model,
        1 as attributed_credit,
        unattributed.order_revenue as attributed_revenue,
        unattributed.order_margin as attributed_margin,
        unattributed.first_order_value as attributed_clv,
        null as touch_number
    from unattributed
    cross join models

),

final as (

    select
        order_id,
        touchpoint_id,
        attribution_model,
        cast(attributed_credit as double) as credit,
        cast(attributed_revenue as decimal(18, 2)) as attributed_revenue,
        cast(attributed_margin as decimal(18, 2)) as attributed_margin,
        cast(attributed_clv as decimal(18, 2)) as attributed_clv
    from long

)

select * from final
