with campaigns as (

    select * from {{ ref('stg_email__campaigns') }}
    where row_bucket = 'staged'

),

settings as (

    select * from {{ ref('int_settings') }}

),

exchange_rates as (

    select * from {{ ref('int_exchange_rates') }}

),

-- a flow has no day of its own; its cost is converted at as_of
dated as (

    select
        campaigns.*,
        settings.base_currency,
        coalesce(
            {{ reporting_date('campaigns.sent_at') }}, settings.as_of_date
        ) as cost_date
    from campaigns
    cross join settings

),

rated as (

    select
        dated.*,
        case
            when dated.currency is null or dated.currency = dated.base_currency then 1.0
            when dated.cost * exchange_rates.exchange_rate < 1e12
                then exchange_rates.exchange_rate
        end as exchange_rate
    from dated
    left join exchange_rates
        on
            dated.currency = exchange_rates.currency
            and dated.cost_date = exchange_rates.rate_day

),

final as (

    select
        campaign_id,
        campaign_name,
        campaign_kind,
        sent_at,
        {{ to_cents('cost * exchange_rate') }} as cost,
        case
            when cost is not null and exchange_rate is null then 'quarantined'
            else 'staged'
        end as row_bucket
    from rated

)

select * from final
