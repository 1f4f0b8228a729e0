{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'device': 'anonymous_id'},
        'emits': {'cart': 'cart_id', 'shopper': 'person_id'},
    },
    pre_hook=[
        "{{ touch('device', this, 'anonymous_id', touched('rate', 'rate_key')) }}",
        "{{ touch('device', this, 'anonymous_id', touched('listed_product', 'listed_product_id')) }}",
        "{{ touch('device', this, 'anonymous_id', '(base_currency is distinct from (select max(base_currency) from ' ~ ref(
            'int_settings'
        ) ~ '))') }}",
    ],
) }}

{% set checkout_steps = [
    'checkout_started', 'shipping_entered', 'payment_info_entered'
] %}

with events as (

    select
        event_id,
        anonymous_id,
        occurred_at,
        event_name,
        cart_id,
        product_id,
        coalesce(quantity, case when event_name = 'add_to_cart' then 1 end) as quantity,
        event_value,
        currency
    from {{ ref('stg_web__events') }}
    where
        row_bucket = 'staged'
        and event_name in (
            'add_to_cart', 'remove_from_cart', 'cart_view',
            'checkout_started', 'shipping_entered', 'payment_info_entered'
        )
        and {{ touched('device', 'anonymous_id') }}

),

sessionised as (

    select
        event_id,
        session_id
    from {{ ref('int_events_sessionised') }}
    where
        event_name in (
            'add_to_cart', 'remove_from_cart', 'cart_view',
            'checkout_started', 'shipping_entered', 'payment_info_entered'
        )
        and {{ touched('device', 'anonymous_id') }}

),

owned as (

    select
        session_id,
        person_id
    from {{ ref('int_sessions_owned') }}
    where {{ touched('device', 'anonymous_id') }}

),

prices as (

    select * from {{ ref('int_product_prices') }}

),

exchange_rates as (

    select * from {{ ref('int_exchange_rates') }}

),

settings as (

    select * from {{ ref('int_settings') }}

),

-- the day whose rate it needs, where it does not come in base currency
dated as (

    select
        events.*,
        settings.base_currency,
        case
            when events.currency <> settings.base_currency
                then {{ reporting_date('events.occurred_at') }}
        end as rate_day
    from events
    cross join settings

),

valued as (

    select
        dated.*,
        dated.event_value
        / nullif(cast(dated.quantity as double), 0)
        * case when dated.rate_day is null then 1 else exchange_rates.exchange_rate end
            as value_of_one
    from dated
    left join exchange_rates
        on
            dated.currency = exchange_rates.currency
            and dated.rate_day = exchange_rates.rate_day

),

final as (

    select
        valued.event_id,
        valued.anonymous_id,
        sessionised.session_id,
        owned.person_id,
        valued.occurred_at,
        valued.cart_id,
        case
            when valued.event_name = 'add_to_cart' and valued.quantity <= 0 then 'view'
            when valued.event_name = 'add_to_cart' then 'add'
            when valued.event_name = 'remove_from_cart' then 'remove'
            when valued.event_name = 'cart_view' then 'view'
            else 'checkout'
        end as moment,
        case valued.event_name
            {% for step in checkout_steps -%}
            when '{{ step }}' then {{ loop.index }}
            {% endfor -%}
        end as checkout_step,
        valued.product_id,
        cast(valued.quantity as double) as quantity,
        case
            when valued.event_name = 'add_to_cart'
                then coalesce(valued.value_of_one, prices.list_price)
        end as unit_price,
        valued.currency || valued.rate_day as rate_key,
        valued.base_currency,
        case
            when valued.event_name = 'add_to_cart' and valued.value_of_one is null
                then valued.product_id
        end as listed_product_id
    from valued
    inner join sessionised on valued.event_id = sessionised.event_id
    inner join owned on sessionised.session_id = owned.session_id
    left join prices on valued.product_id = prices.product_id

)

select * from final
