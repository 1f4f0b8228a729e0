{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {'promotion': 'promotion_code'}},
) }}

-- a list that comes anew every day touches only orders whose promotion it changes
select
    promotion_id,
    lower(promotion_code) as promotion_code,
    promotion_kind,
    starts_at,
    ends_at
from {{ ref('stg_storefront__promotions') }}
where row_bucket = 'staged' and promotion_code is not null
