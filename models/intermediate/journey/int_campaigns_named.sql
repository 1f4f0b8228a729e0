{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {'campaign': 'campaign_id'}},
) }}

-- a campaign that is renamed touches the contacts that it made
select
    campaign_id,
    campaign_name
from {{ ref('stg_email__campaigns') }}
where row_bucket = 'staged'
