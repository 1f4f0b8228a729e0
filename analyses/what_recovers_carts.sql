-- What brings back a cart that was left, and after how many hours? Of carts abandoned
-- at least var cart_recovery_days ago: how many came back, by the last touch between
-- (unknown where none was seen), the share of all abandoned carts, and what they held.
-- Carts that were reminded count as abandoned when the reminder was sent: channels can
-- be compared in what they brought back, not in what they caused.
with abandoned as (

    select * from {{ ref('fct_carts') }}
    where abandoned_at is not null and is_mature

),

campaigns as (

    select
        campaign_id,
        campaign_name as campaign
    from {{ ref('stg_email__campaigns') }}
    where row_bucket = 'staged'

),

totals as (

    select count(*) as abandoned_carts
    from abandoned

),

recovered as (

    select
        coalesce(abandoned.recovered_by_channel, 'unknown') as recovered_by,
        campaigns.campaign,
        count(*) as carts,
        sum(abandoned.cart_value) as cart_value,
        median(
            {{ hours_between('abandoned.abandoned_at', 'abandoned.recovered_at') }}
        ) as median_hours
    from abandoned
    left join campaigns
        on abandoned.recovered_by_campaign_id = campaigns.campaign_id
    where abandoned.outcome = 'recovered'
    group by all

),

final as (

    select
        recovered.recovered_by,
        recovered.campaign,
        recovered.carts,
        cast(recovered.carts as double) / totals.abandoned_carts as recovery_rate,
        recovered.median_hours,
        recovered.cart_value
    from recovered
    cross join totals

)

select * from final
order by carts desc, recovered_by asc, campaign asc
