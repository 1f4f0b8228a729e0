with order_fates as (

    select * from {{ ref('int_order_fates') }}

),

{%- for table_name, relation in {
    'order_items': ref('stg_storefront__order_items'),
    'refunds': ref('stg_storefront__refunds'),
    'deliveries': ref('stg_storefront__deliveries'),
}.items() %}
{%- set contract = raw_contract('storefront', table_name) %}

{{ table_name }}_without_order as (

    select
        'storefront' as source_name,
        '{{ table_name }}' as table_name,
        {{ staged_row_key(contract) }} as row_key,
        'order_missing: order ' || order_id || ' is not staged' as quarantine_reason,
        {{ staged_row_json(contract) }} as raw_row
    from {{ relation }}
    anti join order_fates using (order_id)
    where row_bucket = 'staged'

),
{%- endfor %}

{%- set contract = raw_contract('storefront', 'orders') %}

orders_without_rate as (

    select
        'storefront' as source_name,
        'orders' as table_name,
        {{ staged_row_key(contract) }} as row_key,
        'missing_rate: no rate of ' || currency || ' within 7 days up to the order' as quarantine_reason,
        {{ staged_row_json(contract) }} as raw_row
    from {{ ref('stg_storefront__orders') }}
    anti join {{ ref('int_orders_converted') }} as converted using (order_id)
    where row_bucket = 'staged'

),

{%- set contract = raw_contract('email', 'campaigns') %}

campaigns_without_rate as (

    select
        'email' as source_name,
        'campaigns' as table_name,
        {{ staged_row_key(contract) }} as row_key,
        'missing_rate: no rate of ' || currency || ' within 7 days up to the campaign' as quarantine_reason,
        {{ staged_row_json(contract) }} as raw_row
    from {{ ref('stg_email__campaigns') }} as campaigns
    semi join (
        select campaign_id from {{ ref('int_campaigns_converted') }}
        where row_bucket = 'quarantined'
    ) as unrated using (campaign_id)
    where row_bucket = 'staged'

),

{%- set contract = raw_contract('marketing', 'ad_spend') %}

ad_spend_without_rate as (

    select
        'marketing' as source_name,
        'ad_spend' as table_name,
        {{ staged_row_key(contract) }} as row_key,
        'missing_rate: no rate of ' || currency || ' within 7 days up to the day' as quarantine_reason,
        {{ staged_row_json(contract) }} as raw_row
    from {{ ref('stg_marketing__ad_spend') }}
    semi join (
        select
            spend_date,
            currency
        from {{ ref('int_ad_spend_converted') }}
        where row_bucket = 'quarantined'
    ) as unrated using (spend_date, currency)
    where row_bucket = 'staged'

),

rows_set_aside as (

    select * from order_items_without_order
    union all
    select * from refunds_without_order
    union all
    select * from deliveries_without_order
    union all
    select * from orders_without_rate
    union all
    select * from campaigns_without_rate
    union all
    select * from ad_spend_without_rate

),

final as (

    select
        md5(source_name || '.' || table_name || '|' || row_key) as quarantine_id,
        source_name,
        table_name,
        row_key,
        quarantine_reason,
        raw_row
    from rows_set_aside

)

select * from final
