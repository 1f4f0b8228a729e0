{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'emits': {
        'device': 'excluded_device',
        'address': 'excluded_email',
        'excluded': ['identifier', 'linked_identifier'],
    }},
) }}

with exclusions as (

    select * from {{ ref('identity_exclusions') }}

),

final as (

    select
        {{ hashed_id(
            "identifier_kind || ':' || identifier"
            ~ " || coalesce('|' || linked_kind || ':' || linked_identifier, '')"
        ) }} as exclusion_id,
        identifier_kind,
        identifier,
        linked_kind,
        linked_identifier,
        case
            when identifier_kind = 'anonymous_id' then identifier
            when linked_kind = 'anonymous_id' then linked_identifier
        end as excluded_device,
        case
            when identifier_kind = 'email_hash' then identifier
            when linked_kind = 'email_hash' then linked_identifier
        end as excluded_email
    from exclusions
    group by all

)

select * from final
