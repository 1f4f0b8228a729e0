with first_values as (

    select * from {{ ref('int_first_order_values') }}

),

acquisition_costs as (

    select * from {{ ref('int_acquisition_costs') }}

),

days as (

    select * from {{ ref('int_person_days') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where not is_cancelled and person_id is not null

),

returned_lines as (

    select * from {{ ref('int_refund_lines') }}
    where returned_quantity > 0

),

tickets as (

    select * from {{ ref('fct_support_tickets') }}
    where person_id is not null

),

-- what no row of the seed gives a cost handles itself
handling as (

    select coalesce(max(value), 0) as cost_per_return
    from {{ ref('cost_assumptions') }}
    where cost_kind = 'return_handling'

),

returned as (

    select
        orders.person_id,
        count(*) as returns
    from returned_lines
    inner join orders on returned_lines.order_id = orders.order_id
    group by orders.person_id

),

earned as (

    select
        person_id,
        sum(contribution_margin) as known_margin,
        {{ cost_known_share(
            "sum(case when cost_quality <> 'unknown' then net_sales else 0 end)",
            'sum(net_sales)'
        ) }} as cost_known_share,
        bool_and(cost_quality <> 'unknown') as is_cost_known,
        case
            when bool_or(cost_quality = 'unknown') then 'unknown'
            when bool_or(cost_quality = 'assumed') then 'assumed'
            else 'actual'
        end as cost_quality
    from orders
    group by person_id

),

served as (

    select
        person_id,
        sum(cost_to_serve) as cost_to_serve
    from tickets
    group by person_id

),

customers as (

    select
        acquisition_costs.person_id,
        acquisition_costs.first_date,
        acquisition_costs.acquisition_cost,
        round(acquisition_costs.acquisition_cost, 2) as cost_to_cover,
        first_values.first_order_value,
        first_values.value_basis
    from acquisition_costs
    inner join first_values on acquisition_costs.person_id = first_values.person_id

),

cumulated as (

    select
        person_id,
        moved_date,
        sum(known_margin) over person_to_date as margin,
        bool_and(is_cost_known) over person_to_date as is_known
    from days
    window
        person_to_date as (
            partition by person_id order by moved_date
            rows between unbounded preceding and current row
        )

),

-- the first day on which a person has brought what it cost
paid_back as (

    select
        customers.person_id,
        min({{ dbt.datediff(
            'customers.first_date', 'cumulated.moved_date', 'day'
        ) }}) as payback_days
    from customers
    inner join cumulated on customers.person_id = cumulated.person_id
    where cumulated.is_known and cumulated.margin >= customers.cost_to_cover
    group by customers.person_id

),

-- who only asked and never bought cost something as well
persons as (

    select person_id
    from customers
    union distinct
    select person_id
    from tickets

),

joined as (

    select
        persons.person_id,
        earned.cost_quality,
        earned.cost_known_share,
        case
            when earned.person_id is null then 0
            else {{ margin_if_known('earned') }}
        end as contribution_margin,
        cast(
            coalesce(returned.returns, 0) * handling.cost_per_return
            as decimal(18, 2)
        ) as returns_handling,
        case
            when served.person_id is null then 0 else served.cost_to_serve
        end as cost_to_serve,
        customers.acquisition_cost,
        customers.first_order_value,
        customers.value_basis,
        paid_back.payback_days
    from persons
    cross join handling
    left join earned on persons.person_id = earned.person_id
    left join returned on persons.person_id = returned.person_id
    left join served on persons.person_id = served.person_id
    left join customers on persons.person_id = customers.person_id
    left join paid_back on persons.person_id = paid_back.person_id

),

final as (

    select
        person_id,
        cast(contribution_margin as decimal(18, 2)) as contribution_margin,
        cost_known_share,
        returns_handling,
        cast(cost_to_serve as decimal(18, 2)) as cost_to_serve,
        cast(
            contribution_margin - returns_handling - cost_to_serve as decimal(18, 2)
        ) as net_value,
        cast(round(acquisition_cost, 2) as decimal(18, 2)) as acquisition_cost,
        first_order_value as value_first_365d,
        case
            when value_basis = 'margin'
                then cast(first_order_value as double) / nullif(acquisition_cost, 0)
        end as clv_to_cac,
        cast(payback_days as integer) as payback_days,
        cost_quality
    from joined

)

select * from final
