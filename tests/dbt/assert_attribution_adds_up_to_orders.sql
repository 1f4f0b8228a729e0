-- Each model credits each order once, with all of its money and no more.
with credits as (

    select
        order_id,
        attribution_model,
        sum(credit) as credit,
        min(credit) as smallest_credit,
        sum(attributed_revenue) as revenue,
        sum(attributed_margin) as margin
    from {{ ref('fct_attribution') }}
    group by order_id, attribution_model

),

orders as (

    select
        order_id,
        case when is_cancelled then 0 else net_revenue end as revenue,
        case when is_cancelled then 0 else contribution_margin end as margin
    from {{ ref('fct_orders') }}

),

models as (

    select attribution_model
    from credits
    group by attribution_model

),

owed as (

    select
        orders.*,
        models.attribution_model
    from orders
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
