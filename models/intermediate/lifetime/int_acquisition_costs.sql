with acquisitions as (

    select * from {{ ref('int_person_acquisitions') }}

),

ad_spend as (

    select * from {{ ref('int_ad_spend_converted') }}
    where row_bucket = 'staged'

),

ad_channels as (

    select * from {{ ref('ad_channels') }}

),

spent as (

    select
        {{ month_of('ad_spend.spend_date') }} as cohort_month,
        coalesce(ad_channels.channel_group, 'other') as channel_group,
        sum(ad_spend.spend) as spend
    from ad_spend
    left join ad_channels on lower(ad_spend.channel) = lower(ad_channels.channel)
    group by all

),

acquired as (

    select
        cohort_month,
        acquisition_channel,
        count(*) as persons
    from acquisitions
    where acquisition_channel is not null
    group by all

),

-- what was spent before and after all spend that is told, nobody knows
known as (

    select
        {{ month_of('min(spend_date)') }} as first_month,
        {{ month_of('max(spend_date)') }} as last_month
    from ad_spend

),

-- a channel that nothing was spent on costs nothing in the months between
prices as (

    select
        acquired.cohort_month,
        acquired.acquisition_channel,
        case
            when
                acquired.cohort_month >= known.first_month
                and acquired.cohort_month <= known.last_month
                then coalesce(cast(spent.spend as double), 0) / acquired.persons
        end as acquisition_cost
    from acquired
    cross join known
    left join spent
        on
            acquired.cohort_month = spent.cohort_month
            and acquired.acquisition_channel = spent.channel_group

),

final as (

    select
        acquisitions.person_id,
        {{ reporting_date('acquisitions.first_order_at') }} as first_date,
        prices.acquisition_cost
    from acquisitions
    left join prices
        on
            acquisitions.cohort_month = prices.cohort_month
            and acquisitions.acquisition_channel = prices.acquisition_channel

)

select * from final
