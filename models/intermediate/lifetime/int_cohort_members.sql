-- a few columns of a small table, four times over: written out it would only cost time
{{ config(materialized='view') }}

with acquisitions as (

    select * from {{ ref('int_person_acquisitions') }}

),

final as (

    {% for name, expression in {
        'all': "'all'",
        'is_promo_acquired': 'cast(is_promo_acquired as varchar)',
        'first_category': 'first_category',
        'country': 'country',
    }.items() -%}
    select
        person_id,
        cohort_month,
        '{{ name }}' as segment_name,
        coalesce({{ expression }}, 'unknown') as segment_value
    from acquisitions
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from final
