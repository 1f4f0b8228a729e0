{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'walk': 'shopper_id'}, 'emits': {'told_cart': 'cart_id'}},
) }}

-- the walk tells the carts of this run alone
select * from {{ ref('int_carts_walked') }}
where {{ touched('walk', 'shopper_id') }}
