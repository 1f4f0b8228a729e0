{% set raw_tables = {
    'storefront': {
        'orders': source('storefront', 'orders'),
        'order_items': source('storefront', 'order_items'),
        'customers': source('storefront', 'customers'),
        'products': source('storefront', 'products'),
        'refunds': source('storefront', 'refunds'),
        'deliveries': source('storefront', 'deliveries'),
        'promotions': source('storefront', 'promotions'),
        'exchange_rates': source('storefront', 'exchange_rates'),
    },
    'web': {
        'events': source('web', 'events'),
    },
    'experiments': {
        'experiments': source('experiments', 'experiments'),
        'exposures': source('experiments', 'exposures'),
    },
    'support': {
        'tickets': source('support', 'tickets'),
    },
    'feedback': {
        'nps_surveys': source('feedback', 'nps_surveys'),
        'reviews': source('feedback', 'reviews'),
    },
    'email': {
        'campaigns': source('email', 'campaigns'),
        'email_events': source('email', 'email_events'),
    },
    'marketing': {
        'ad_spend': source('marketing', 'ad_spend'),
        'referrals': source('marketing', 'referrals'),
    },
} %}

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

-- words that are in no closed list, and values of lenient columns that do not cast
values_found as (

    {% for source_name, tables in raw_tables.items() -%}
    {% for table_name, relation in tables.items() -%}
    {% for column in raw_contract(source_name, table_name).columns -%}
    {% if column.meta.words -%}
    {% set words -%} '{{ column.meta.words | join("', '") }}' {%- endset -%}
    select
        '{{ source_name }}' as source_name,
        '{{ table_name }}' as table_name,
        '{{ column.name }}' as column_name,
        lower(trim(cast({{ column.name }} as varchar))) as drift_value,
        count(*) as row_count
    from {{ relation }}
    where {{ column.name }} is not null
    group by all
    having drift_value not in ('', {{ words }})
    union all
    {% elif column.meta.lenient -%}
    select
        '{{ source_name }}' as source_name,
        '{{ table_name }}' as table_name,
        '{{ column.name }}' as column_name,
        trim(cast({{ column.name }} as varchar)) as drift_value,
        count(*) as row_count
    from {{ relation }}
    where
        {{ column.name }} is not null
        and {{ cast_raw(column) }} is null
        and trim(cast({{ column.name }} as varchar)) <> ''
    group by all
    union all
    {% endif -%}
    {% endfor -%}
    {% endfor -%}
    {% endfor -%}
    select
        cast(null as varchar) as source_name,
        cast(null as varchar) as table_name,
        cast(null as varchar) as column_name,
        cast(null as varchar) as drift_value,
        cast(null as bigint) as row_count
    where false

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
        channel as drift_value,
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
