with ad_spend as (

    select * from {{ ref('stg_marketing__ad_spend') }}
    where row_bucket in ('staged', 'duplicate')

),

settings as (

    select * from {{ ref('int_settings') }}

),

exchange_rates as (

    select * from {{ ref('int_exchange_rates') }}

),

rated as (

    select
        ad_spend.*,
        case
            when ad_spend.currency = settings.base_currency then 1.0
            when ad_spend.spend * exchange_rates.exchange_rate < 1e12
                then exchange_rates.exchange_rate
        end as exchange_rate,
        settings.as_of_date
    from ad_spend
    cross join settings
    left join exchange_rates
        on
            ad_spend.currency = exchange_rates.currency
            and ad_spend.spend_date = exchange_rates.rate_day

),

final as (

    select
        spend_date,
        channel,
        campaign,
        currency,
        {{ to_cents('spend * exchange_rate') }} as spend,
        impressions,
        clicks,
        -- whatever its version, spend dated after as_of has not happened yet
        case
            when spend_date > as_of_date then 'after_as_of'
            when row_bucket = 'duplicate' then 'duplicate'
            when exchange_rate is null then 'quarantined'
            else 'staged'
        end as row_bucket
    from rated

)

select * from final
