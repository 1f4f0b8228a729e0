{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {'rate': 'currency || rate_day'}},
) }}

with exchange_rates as (

    select * from {{ ref('stg_storefront__exchange_rates') }}

),

-- a rate is good on its own day and on the seven days after it, until a newer one comes
rates_to_extend as (

    select
        currency,
        rate_date,
        rate_to_base,
        7 as last_day
    from exchange_rates
    where row_bucket = 'staged'

),

extended as (

    {{ numbers_up_to('rates_to_extend', 'last_day') }}

),

final as (

    select
        currency,
        cast({{ dbt.dateadd('day', 'number', 'rate_date') }} as date) as rate_day,
        max_by(rate_to_base, rate_date) as exchange_rate
    from extended
    group by all

)

select * from final
