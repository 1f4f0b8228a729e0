{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'funnel_walk': 'person_id'}},
) }}

select * from {{ ref('int_funnel_entries_walked') }}
where {{ touched('funnel_walk', 'person_id') }}
