{% set models = attribution_models() %}

with first_credits as (

    select * from {{ ref('int_first_order_credits') }}

),

first_values as (

    select * from {{ ref('int_first_order_values') }}

),

-- a first order without touches is credited to nobody
untouched as (

    select
        first_values.order_month,
        sum(first_values.first_order_value) as clv,
        count(*) as first_orders,
        count(first_values.first_order_value) as valued_orders
    from first_values
    anti join first_credits on first_values.order_id = first_credits.order_id
    group by first_values.order_month

),

basis as (

    select max(value_basis) as value_basis
    from first_values

),

credited as (

    {% for model in models -%}
    select
        order_month,
        channel_group,
        '{{ model }}' as attribution_model,
        sum({{ model }}_clv) as clv,
        round(sum({{ model }}_credit), 9) as first_orders,
        round(coalesce(sum(
            case when order_clv is not null then {{ model }}_credit end
        ), 0), 9) as valued_orders
    from first_credits
    group by all
    union all
    select
        order_month,
        'unattributed' as channel_group,
        '{{ model }}' as attribution_model,
        clv,
        first_orders,
        valued_orders
    from untouched
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

final as (

    select
        credited.order_month,
        credited.channel_group,
        credited.attribution_model,
        basis.value_basis,
        cast(coalesce(credited.clv, 0) as decimal(18, 2)) as clv,
        credited.first_orders = 0
        or (
            credited.valued_orders > 0
            and credited.valued_orders
            >= {{ var('cost_known_share_min') }} * credited.first_orders
        ) as is_known
    from credited
    cross join basis

)

select * from final
