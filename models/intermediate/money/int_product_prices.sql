{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {'listed_product': 'product_id'}},
) }}

-- a catalogue that comes anew every day touches only carts whose prices it changes
select
    product_id,
    cast(list_price as double) as list_price
from {{ ref('stg_storefront__products') }}
where row_bucket = 'staged'
