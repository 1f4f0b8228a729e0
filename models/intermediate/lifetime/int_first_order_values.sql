{#- Months are twelfths of a year, as the predictions' are. -#}
{% set months_since_first -%}
ceil(cast({{ dbt.datediff(
    'customers.first_date', 'days.moved_date', 'day'
) }} as double) * 12 / 365)
{%- endset %}

with customers as (

    select * from {{ ref('int_clv_customers') }}
    where holdout_days = 0

),

predicted as (

    select
        person_id,
        predicted_first_year
    from {{ ref('int_clv_predicted') }}

),

acquisitions as (

    select * from {{ ref('int_person_acquisitions') }}

),

days as (

    select * from {{ ref('int_person_days') }}

),

-- what moved in the first 365 days, each month as at its end, the first day as it is;
-- six decimals: sums of them do not depend on the order of the rows
realised as (

    select
        customers.person_id,
        sum(cast(
            case
                when customers.value_basis = 'net_sales' then days.net_sales
                else days.known_margin
            end / power(
                1 + {{ var('clv_monthly_discount_rate') }}, {{ months_since_first }}
            ) as decimal(24, 6)
        )) as realised_value,
        bool_and(
            customers.value_basis = 'net_sales' or days.is_cost_known
        ) as is_known
    from customers
    inner join days
        on
            customers.person_id = days.person_id
            and days.moved_date
            <= cast({{ dbt.dateadd('day', 365, 'customers.first_date') }} as date)
    group by customers.person_id

),

final as (

    select
        customers.person_id,
        acquisitions.first_order_id as order_id,
        acquisitions.cohort_month as order_month,
        customers.value_basis,
        case
            when realised.is_known
                then
                    cast(round(
                        cast(realised.realised_value as double)
                        + predicted.predicted_first_year, 2
                    ) as decimal(18, 2))
        end as first_order_value
    from customers
    inner join predicted on customers.person_id = predicted.person_id
    inner join realised on customers.person_id = realised.person_id
    inner join acquisitions on customers.person_id = acquisitions.person_id

)

select * from final
