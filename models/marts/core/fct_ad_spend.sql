with ad_spend as (

    select * from {{ ref('int_ad_spend_converted') }}
    where row_bucket = 'staged'

),

ad_channels as (

    select * from {{ ref('ad_channels') }}

),

-- a channel that nobody has mapped yet still costs money: it is shown, not dropped
mapped as (

    select
        ad_spend.spend_date,
        coalesce(ad_channels.channel_group, 'other') as channel_group,
        coalesce(ad_spend.campaign, 'unknown') as campaign,
        ad_spend.spend,
        ad_spend.impressions,
        ad_spend.clicks
    from ad_spend
    left join ad_channels on lower(ad_spend.channel) = lower(ad_channels.channel)

),

final as (

    select
        spend_date,
        channel_group,
        campaign,
        cast(sum(spend) as decimal(18, 2)) as spend,
        cast(sum(impressions) as bigint) as impressions,
        cast(sum(clicks) as bigint) as clicks
    from mapped
    group by all

)

select * from final
