with customers as (

    select * from {{ ref('stg_storefront__customers') }}
    where row_bucket = 'staged' and country is not null

),

identifiers as (

    select * from {{ ref('int_identifiers_resolved') }}
    where identifier_kind = 'customer_id'

),

ranked as (

    select
        identifiers.person_id,
        customers.country,
        row_number() over (
            partition by identifiers.person_id
            order by customers.created_at, customers.customer_id
        ) as account_rank
    from customers
    inner join identifiers on customers.customer_id = identifiers.identifier

),

final as (

    select
        person_id,
        country
    from ranked
    where account_rank = 1

)

select * from final
