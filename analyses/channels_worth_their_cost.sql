-- Which channels buy customers that are worth less than they cost? What the customers
-- of a channel bring in the year from their first order, by what the ads of their
-- months cost. The realised part is fact, the rest predicted, and with one fit of all
-- customers (var clv_group_by) the same for equal histories whatever the channel:
-- where the two parts disagree, believe the first. Where the values are net sales
-- (value_basis) they are no profit, and are not set against the cost. Spend on months
-- that acquired nobody is missing here; agg_channel_performance has all of it.
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

basis as (

    select max(value_basis) as value_basis
    from {{ ref('fct_clv_models') }}

),

-- what is unknown of one customer is unknown of the channel
channels as (

    select
        coalesce(persons.acquisition_channel, 'unknown') as acquisition_channel,
        count(*) as customers,
        cast(sum(economics.acquisition_cost) as double) as acquisition_cost,
        case
            when count(*) = count(economics.net_value)
                then cast(sum(economics.net_value) as double)
        end as net_value_to_date,
        case
            when count(*) = count(economics.value_first_365d)
                then cast(sum(economics.value_first_365d) as double)
        end as value_first_365d,
        count(economics.payback_days) as paid_back,
        bool_or(
            economics.payback_days is null
            and (
                economics.cost_quality = 'unknown'
                or economics.acquisition_cost is null
            )
        ) as has_unknown_payback,
        median(economics.payback_days) as median_payback_days
    from persons
    inner join economics on persons.person_id = economics.person_id
    group by all

),

final as (

    select
        channels.acquisition_channel,
        channels.customers,
        channels.acquisition_cost / channels.customers as cost_per_customer,
        channels.net_value_to_date / channels.customers as net_value_per_customer,
        basis.value_basis,
        channels.value_first_365d / channels.customers as value_per_customer,
        case
            when basis.value_basis = 'margin'
                then channels.value_first_365d / nullif(channels.acquisition_cost, 0)
        end as clv_to_cac,
        case
            when basis.value_basis = 'margin'
                then channels.value_first_365d < channels.acquisition_cost
        end as costs_more_than_it_brings,
        case
            when not channels.has_unknown_payback
                then channels.paid_back / cast(channels.customers as double)
        end as paid_back_share,
        channels.median_payback_days
    from channels
    cross join basis

)

select * from final
order by clv_to_cac asc nulls last, acquisition_channel asc
