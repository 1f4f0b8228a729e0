{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'device': 'anonymous_id'},
        'emits': {'cart': 'cart_id', 'shopper': 'person_id'},
    },
) }}

{% set moments = {
    'add_to_cart': 'add',
    'remove_from_cart': 'remove',
    'cart_view': 'view',
    'checkout_started': 'checkout',
    'shipping_entered': 'checkout',
    'payment_info_entered': 'checkout',
} %}

with events as (

    select * from {{ ref('stg_web__events') }}
    where
        row_bucket = 'staged'
        and event_name in ('{{ moments | join("', '") }}')
        and {{ touched('device', 'anonymous_id') }}

),

sessionised as (

    select * from {{ ref('int_events_sessionised') }}
    where
        event_name in ('{{ moments | join("', '") }}')
        and {{ touched('device', 'anonymous_id') }}

),

owned as (

    select * from {{ ref('int_sessions_owned') }}
    where {{ touched('device', 'anonymous_id') }}

),

final as (

    select
        events.event_id,
        events.anonymous_id,
        sessionised.session_id,
        owned.person_id,
        events.occurred_at,
        case events.event_name
            {% for name, moment in moments.items() -%}
            when '{{ name }}' then '{{ moment }}'
            {% endfor -%}
        end as moment,
        events.event_name,
        events.cart_id,
        events.product_id,
        events.quantity,
        events.event_value,
        events.currency
    from events
    inner join sessionised on events.event_id = sessionised.event_id
    inner join owned on sessionised.session_id = owned.session_id

)

select * from final
