with settings as (

    select * from {{ ref('int_settings') }}

),

movements as (

    select
        min(moved_date) as first_date,
        max(moved_date) as last_date
    from {{ ref('fct_sales_movements') }}

),

-- money is spent before the first order; a day that cannot be true is not worth a row
-- for each one after it
ad_spend as (

    select
        min(spend_date) as first_date,
        max(spend_date) as last_date
    from {{ ref('fct_ad_spend') }}
    where spend_date >= {{ utc_timestamp("'" ~ var('earliest_plausible_at') ~ "'") }}

),

-- a cancellation known only by its bookkeeping may lie after everything that happened
bounds as (

    select
        least(
            {{ reporting_date('settings.first_happened_at') }},
            movements.first_date,
            ad_spend.first_date
        ) as first_date,
        greatest(
            {{ reporting_date('settings.last_happened_at') }},
            movements.last_date,
            ad_spend.last_date
        ) as last_date
    from settings
    cross join movements
    cross join ad_spend

),

days as (

    {{ days_between('bounds', 'first_date', 'last_date') }}

),

final as (

    select
        date_day,
        cast({{ dbt.date_trunc('week', 'date_day') }} as date) as week_start,
        {{ month_of('date_day') }} as month_start,
        cast({{ dbt.date_trunc('quarter', 'date_day') }} as date) as quarter_start,
        cast({{ iso_day_of_week('date_day') }} as integer) as day_of_week
    from days

)

select * from final
