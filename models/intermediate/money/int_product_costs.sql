{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {'product': 'product_id'}},
) }}

-- a catalogue that comes anew every day touches only lines whose cost it changes
select
    product_id,
    category,
    unit_cost
from {{ ref('stg_storefront__products') }}
where row_bucket = 'staged'
