-- Which channels buy customers that are worth less than they cost? What the customers
-- of a channel bring in the year from their first order, by what the ads of their
-- months cost. The realised part is fact, the rest predicted, and with one fit of all
-- customers (var clv_group_by) the same for equal histories whatever the channel:
-- where the two parts disagree, believe the first. Spend on months that acquired
-- nobody is missing here; agg_channel_performance has all of it.
with economics as (

    select * from {{ ref('fct_person_economics') }}

),

persons as (

    select
        person_id,
        acquisition_channel
    from {{ ref('dim_persons') }}
    where order_count > 0

),

channels as (

    select
        coalesce(persons.acquisition_channel, 'unknown') as acquisition_channel,
        count(*) as customers,
        cast(sum(economics.acquisition_cost) as double) as acquisition_cost,
        cast(sum(economics.net_value) as double) as net_value_to_date,
        case
            when count(*) = count(economics.value_first_365d)
                then cast(sum(economics.value_first_365d) as double)
        end as value_first_365d,
        count(economics.payback_days) as paid_back,
        median(economics.payback_days) as median_payback_days
    from persons
    inner join economics on persons.person_id = economics.person_id
    group by all

),

final as (

    select
        acquisition_channel,
        customers,
        acquisition_cost / customers as cost_per_customer,
        net_value_to_date / customers as net_value_per_customer,
        value_first_365d / customers as value_per_customer,
        value_first_365d / nullif(acquisition_cost, 0) as clv_to_cac,
        value_first_365d < acquisition_cost as costs_more_than_it_brings,
        paid_back / cast(customers as double) as paid_back_share,
        median_payback_days
    from channels

)

select * from final
order by clv_to_cac asc nulls last, acquisition_channel asc
