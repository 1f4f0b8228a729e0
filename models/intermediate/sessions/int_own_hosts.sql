{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {'own_host': 'own_host'}},
) }}

with landed as (

    select * from {{ ref('int_sessions_landed') }}

),

final as (

    select page_host as own_host
    from landed
    where page_host is not null
    group by page_host

)

select * from final
