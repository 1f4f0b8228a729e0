{#- CTEs that give each judged row its bucket, the last one named `bucketed`. A key that stands in several rows is staged in
    its newest good version: greatest updated_at, received_at, _loaded_at (nulls last), then content, then `last_tie`, a column
    that `good_bucket`, the bucket of a newest good version, looks at and content does not hold. Only such rows are ranked. -#}
{% macro bucketed_rows(contract, good_bucket="'staged'", last_tie=none) %}
ranked as (

    select
        *,
        1 as version_number,
        1 as row_ordinal
    from judged
    where not is_repeated
    union all
    select
        *,
        row_number() over (
            partition by row_key, quarantine_reason is null and not is_after_as_of
            order by
                {%- for column in contract.columns if column.name in ['updated_at', 'received_at', '_loaded_at'] %}
                {{ column.name }} desc nulls last,
                {%- endfor %}
                {{ row_json(contract) }} desc{{ ', ' ~ last_tie ~ ' desc nulls last' if last_tie }}
        ) as version_number,
        -- their content is one, but the time of loading may quarantine one of them
        row_number() over (
            partition by {{ row_json(contract) }}
            order by quarantine_reason nulls last
                {%- for column in contract.columns if column.name == '_loaded_at' %}, _loaded_at nulls last {%- endfor %}
        ) as row_ordinal
    from judged
    where is_repeated

),

bucketed as (

    select
        *,
        case
            when quarantine_reason is not null then 'quarantined'
            when is_after_as_of then 'after_as_of'
            when version_number > 1 then 'duplicate'
            else {{ good_bucket }}
        end as row_bucket,
        case
            when quarantine_reason is not null or {{ may_read_otherwise(contract) }} then {{ row_json(contract, is_masked=true) }}
        end as raw_row,
        -- equal rows are told apart by their ordinal
        case
            when quarantine_reason is not null
                then {{ hashed_id(
                    "'" ~ contract.source ~ "." ~ contract.name ~ "|' || " ~ row_json(contract) ~ " || '|' || row_ordinal"
                ) }}
        end as quarantine_id
    from ranked

)
{%- endmacro %}
