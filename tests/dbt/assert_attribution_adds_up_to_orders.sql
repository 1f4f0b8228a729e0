-- Each model credits each order once, with all of its money and value and no more.
with credits as (

    select
        order_id,
        attribution_model,
        sum(credit) as credit,
        min(credit) as smallest_credit,
        sum(attributed_revenue) as revenue,
        sum(attributed_margin) as margin,
        sum(attributed_clv) as clv
    from {{ ref('fct_attribution') }}
    group by order_id, attribution_model

),

orders as (

    select
        order_id,
        person_id,
        is_first_order,
        case when is_cancelled then 0 else net_revenue end as revenue,
        case when is_cancelled then 0 else contribution_margin end as margin
    from {{ ref('fct_orders') }}

),

economics as (

    select * from {{ ref('fct_person_economics') }}

),

models as (

    select attribution_model
    from credits
    group by attribution_model

),

owed as (

    select
        orders.*,
        economics.value_first_365d as clv,
        models.attribution_model
    from orders
    left join economics
        on orders.is_first_order and orders.person_id = economics.person_id
    cross join models

)

select
    owed.order_id,
    owed.attribution_model,
    credits.credit,
    credits.revenue
from owed
full join credits
    on
        owed.order_id = credits.order_id
        and owed.attribution_model = credits.attribution_model
where
    owed.order_id is null
    or credits.order_id is null
    or credits.smallest_credit < 0
    or abs(credits.credit - 1) > 1e-9
    or (credits.revenue is distinct from owed.revenue)
    or (credits.margin is distinct from owed.margin)
    or (credits.clv is distinct from owed.clv)
