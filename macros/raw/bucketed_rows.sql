{#- CTEs that give each judged row its bucket, the last one named `bucketed`. A repeated key is staged in its newest good
    version: greatest updated_at, received_at, _loaded_at (nulls last), then content. Only repeated keys are ranked.
    `good_bucket` is the bucket of a newest good version. -#}
{% macro bucketed_rows(contract, good_bucket="'staged'") %}
good_rows as (

    select * from judged
    where quarantine_reason is null and not is_after_as_of

),

repeated_keys as (

    select row_key
    from good_rows
    group by row_key
    having count(*) > 1

),

versions as (

    select
        good_rows.*,
        1 as version_number,
        cast(null as varchar) as quarantine_id
    from good_rows
    anti join repeated_keys on good_rows.row_key = repeated_keys.row_key
    union all
    select
        good_rows.*,
        row_number() over (
            partition by good_rows.row_key
            order by
                {%- for column in contract.columns if column.name in ['updated_at', 'received_at', '_loaded_at'] %}
                good_rows.{{ column.name }} desc nulls last,
                {%- endfor %}
                {{ row_json(contract) }} desc
        ) as version_number,
        cast(null as varchar) as quarantine_id
    from good_rows
    inner join repeated_keys on good_rows.row_key = repeated_keys.row_key
    union all
    select
        *,
        0 as version_number,
        {{ quarantine_id(contract, row_json(contract)) }} as quarantine_id
    from judged
    where quarantine_reason is not null or is_after_as_of

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
        case when quarantine_reason is not null then {{ row_json(contract, is_masked=true) }} end as raw_row
    from versions

)
{%- endmacro %}

{#- Key of a quarantined row: its content and its ordinal among equal rows. -#}
{% macro quarantine_id(contract, content) -%}
    md5(
        '{{ contract.source }}.{{ contract.name }}|' || {{ content }} || '|'
        || cast(row_number() over (partition by {{ content }}) as varchar)
    )
{%- endmacro %}
