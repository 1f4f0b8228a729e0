with exchange_rates as (

    select * from {{ ref('stg_storefront__exchange_rates') }}

),

-- a rate is good on its own day and on the seven days after it, until a newer one comes
days_after as (

    select column0 as days
    from (values (0), (1), (2), (3), (4), (5), (6), (7)) as offsets (column0)

),

final as (

    select
        exchange_rates.currency,
        cast({{ dbt.dateadd('day', 'days_after.days', 'exchange_rates.rate_date') }} as date) as rate_day,
        max_by(exchange_rates.rate_to_base, exchange_rates.rate_date) as exchange_rate
    from exchange_rates
    cross join days_after
    where exchange_rates.row_bucket = 'staged'
    group by all

)

select * from final
