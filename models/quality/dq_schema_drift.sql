with lake_drift as (

    select * from {{ source('lake', 'schema_drift') }}

),

value_map as (

    select * from {{ ref('value_map') }}

),

ad_channels as (

    select * from {{ ref('ad_channels') }}

),

ad_spend as (

    select * from {{ source('marketing', 'ad_spend') }}

),

values_found as (

    select
        source_name,
        table_name,
        column_name,
        drift_value,
        sum(row_count) as row_count
    from {{ ref('int_values_found') }}
    group by all

),

unknown_values as (

    select values_found.*
    from values_found
    anti join value_map
        on
            values_found.table_name = value_map.table_name
            and values_found.column_name = value_map.column_name
            and values_found.drift_value = lower(value_map.source_value)

),

-- channels of spend that no row of ad_channels gives a channel group
unknown_channels as (

    select
        lower(trim(cast(ad_spend.channel as varchar))) as channel,
        count(*) as row_count
    from ad_spend
    anti join ad_channels
        on
            lower(trim(cast(ad_spend.channel as varchar)))
            = lower(ad_channels.channel)
    where nullif(trim(cast(ad_spend.channel as varchar)), '') is not null
    group by all

),

drift as (

    select
        source_name,
        table_name,
        column_name,
        drift_kind,
        cast(null as varchar) as drift_value,
        row_count
    from lake_drift
    union all
    select
        source_name,
        table_name,
        column_name,
        'unknown_value' as drift_kind,
        drift_value,
        row_count
    from unknown_values
    union all
    select
        'marketing' as source_name,
        'ad_spend' as table_name,
        'channel' as column_name,
        'unknown_value' as drift_kind,
        {{ masked_address('channel') }} as drift_value,
        row_count
    from unknown_channels

),

final as (

    select
        source_name,
        table_name,
        column_name,
        drift_kind,
        drift_value,
        cast(sum(row_count) as bigint) as row_count
    from drift
    group by all

)

select * from final
