{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'cart': 'cart_id'}, 'emits': {'shopper': 'shopper_id'}},
) }}

select
    cart_id,
    min_by(person_id, row(occurred_at, event_id)) as shopper_id
from {{ ref('int_cart_events') }}
where moment = 'add' and cart_id is not null and {{ touched('cart', 'cart_id') }}
group by cart_id
