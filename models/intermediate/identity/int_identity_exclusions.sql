{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {'device': 'excluded_device', 'exclusion': 'excluded_identifier_id'}},
) }}

with exclusions as (

    select * from {{ ref('identity_exclusions') }}

),

final as (

    select
        md5(
            identifier_kind || ':' || identifier
            || coalesce('|' || linked_kind || ':' || linked_identifier, '')
        ) as exclusion_id,
        identifier_kind,
        identifier,
        linked_kind,
        linked_identifier,
        case
            when identifier_kind = 'anonymous_id' then identifier
            when linked_kind = 'anonymous_id' then linked_identifier
        end as excluded_device,
        case
            when identifier_kind <> 'anonymous_id'
                then {{ identifier_id('identifier_kind', 'identifier') }}
        end as excluded_identifier_id
    from exclusions
    group by all

)

select * from final
