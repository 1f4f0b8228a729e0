with files as (

    select * from {{ source('lake', 'files') }}

),

settings as (

    select * from {{ ref('int_settings') }}

),

lake as (

    select
        md5(
            string_agg(path || '|' || content_hash, ',' order by path)
        ) as lake_fingerprint
    from files

),

built as (

    select
        '{{ settings_hash() }}' as settings_hash,
        settings.as_of,
        lake.lake_fingerprint
    from lake
    cross join settings

),

final as (

    select
        {{ hashed_id(
            "settings_hash || '|' || coalesce(cast(as_of as varchar), '')"
            ~ " || '|' || lake_fingerprint"
        ) }} as build_id,
        settings_hash,
        as_of,
        lake_fingerprint
    from built

)

select * from final
