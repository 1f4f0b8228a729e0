-- Cohorts hold every customer, order and cent of orders that are not cancelled, in each
-- segment and in 'all'.
with cohorts as (

    select
        segment_name,
        sum(case when period_number = 0 then cohort_size else 0 end) as customers,
        sum(orders) as orders,
        sum(net_revenue) as net_revenue
    from {{ ref('fct_cohorts') }}
    group by segment_name

),

expected as (

    select
        count(distinct person_id) as customers,
        count(*) as orders,
        coalesce(sum(net_revenue), 0) as net_revenue
    from {{ ref('fct_orders') }}
    where not is_cancelled and person_id is not null

)

select cohorts.segment_name
from cohorts
cross join expected
where
    cohorts.customers <> expected.customers
    or cohorts.orders <> expected.orders
    or cohorts.net_revenue <> expected.net_revenue
