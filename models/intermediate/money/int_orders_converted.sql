{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'order': 'order_id'}},
    pre_hook="{{ touch('order', ref('stg_storefront__orders'), 'order_id', touched(
        'rate', 'currency || ' ~ reporting_date('ordered_at')
    )) }}",
) }}

with orders as (

    select * from {{ ref('stg_storefront__orders') }}
    where row_bucket = 'staged' and {{ touched('order', 'order_id') }}

),

settings as (

    select * from {{ ref('int_settings') }}

),

exchange_rates as (

    select * from {{ ref('int_exchange_rates') }}

),

dated as (

    select
        orders.*,
        settings.base_currency,
        {{ reporting_date('orders.ordered_at') }} as order_date,
        case
            when orders.order_total <> 0
                then
                    cast(coalesce(orders.tax_total, 0) as double)
                    / cast(orders.order_total as double)
            else 0.0
        end as tax_share
    from orders
    cross join settings

),

rated as (

    select
        dated.*,
        case
            when dated.currency = dated.base_currency then 1.0
            else exchange_rates.exchange_rate
        end as exchange_rate,
        -- takes the tax out of every part of a header whose prices include it
        case
            when dated.prices_include_tax then 1 - dated.tax_share
            else 1.0
        end as untaxed_share
    from dated
    left join exchange_rates
        on
            dated.currency = exchange_rates.currency
            and dated.order_date = exchange_rates.rate_day

),

-- without a rate on its day an order is set aside as missing_rate; so is one that its
-- rate, or a tax far above its total, makes larger than money can be
convertible as (

    select *
    from rated
    where
        greatest(
            abs(order_total),
            abs(coalesce(item_total, 0)),
            abs(coalesce(discount_total, 0)),
            abs(coalesce(tax_total, 0)),
            abs(coalesce(shipping_total, 0)),
            abs(coalesce(other_total, 0))
        ) * greatest(1, abs(untaxed_share)) * exchange_rate < 1e12

),

converted as (

    select
        *,
        {% for part, name in {
            'item_total': 'gross_sales', 'discount_total': 'discount_amount',
            'shipping_total': 'shipping_amount', 'other_total': 'other_amount',
        }.items() -%}
        {{ to_cents(
            'coalesce(' ~ part ~ ', 0) * untaxed_share * exchange_rate'
        ) }} as {{ name }},
        {% endfor -%}
        {{ to_cents('coalesce(tax_total, 0) * exchange_rate') }} as tax_amount
    from convertible

),

netted as (

    select
        *,
        cast(gross_sales - discount_amount as decimal(18, 2)) as net_sales
    from converted

),

final as (

    select
        order_id,
        customer_id,
        email_hash,
        anonymous_id,
        cart_id,
        ordered_at,
        order_date,
        sales_channel,
        store_id,
        country,
        status,
        cancelled_at is not null or status = 'cancelled' as is_cancelled,
        coalesce(
            cancelled_at,
            -- neither one that stands for ever nor one before there was an order
            case
                when updated_at >= ordered_at and updated_at < timestamp '2200-01-01'
                    then updated_at
            end,
            ordered_at
        ) as cancellation_at,
        nullif(trim(split_part(promotion_code, ',', 1)), '') as promotion_code,
        gross_sales,
        discount_amount,
        net_sales,
        shipping_amount,
        other_amount,
        case
            when payment_fee is not null then {{ to_cents('payment_fee') }}
            else {{ to_cents('net_sales * ' ~ var('payment_fee_rate')) }}
        end as payment_fee,
        case
            when fulfilment_cost is not null then {{ to_cents('fulfilment_cost') }}
            else {{ to_cents('net_sales * ' ~ var('fulfilment_cost_rate')) }}
        end as fulfilment_cost,
        payment_fee is null or fulfilment_cost is null as is_fee_assumed,
        coalesce(item_total, 0) as original_gross,
        coalesce(discount_total, 0) as original_discount,
        currency as original_currency,
        order_total as original_total,
        exchange_rate,
        coalesce(prices_include_tax, false) as prices_include_tax,
        tax_share,
        tax_amount
    from netted

)

select * from final
