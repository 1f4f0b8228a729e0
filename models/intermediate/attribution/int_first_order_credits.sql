{% set models = attribution_models() %}

with credits as (

    select * from {{ ref('int_order_credits') }}

),

markov as (

    select * from {{ ref('int_markov_credits') }}

),

order_values as (

    select * from {{ ref('int_first_order_values') }}

),

credited as (

    select
        credits.order_id,
        credits.touchpoint_id,
        credits.channel_group,
        credits.touch_number,
        credits.touch_count,
        {% for model in models if model != 'markov' -%}
        credits.{{ model }}_credit,
        {% endfor -%}
        markov.markov_credit,
        order_values.order_month,
        order_values.first_order_value as order_clv
    from credits
    inner join order_values on credits.order_id = order_values.order_id
    inner join markov
        on
            credits.order_id = markov.order_id
            and credits.touchpoint_id = markov.touchpoint_id

),

{{ shared_amounts('credited', models, ['clv']) }},

final as (

    select
        order_id,
        touchpoint_id,
        channel_group,
        order_month,
        {% for model in models -%}
        {{ model }}_credit,
        {{ model }}_clv,
        {% endfor -%}
        order_clv
    from shared

)

select * from final
