{% set estimates = ['r', 'alpha', 'a', 'b', 'p', 'q', 'v'] %}

with predicted as (

    select * from {{ ref('int_clv_predicted') }}

),

customers as (

    select
        max(cutoff_date) as as_of_date,
        max(value_basis) as value_basis
    from {{ ref('int_clv_customers') }}
    where holdout_days = 0

),

-- each row of a fit says the same of it
fits as (

    select
        model_run_id,
        {% for name in estimates -%}
        max({{ name }}) as {{ name }},
        max({{ name }}_standard_error) as {{ name }}_standard_error,
        {% endfor -%}
        max(model) as model,
        max(segment_name) as segment_name,
        max(segment_value) as segment_value,
        max(log_likelihood) as log_likelihood,
        max(customer_count) as customer_count,
        bool_and(is_dropout_identified) as is_dropout_identified
    from predicted
    group by model_run_id

),

final as (

    select
        fits.model_run_id,
        fits.model,
        fits.segment_name,
        fits.segment_value,
        {% for name in estimates -%}
        cast(fits.{{ name }} as double) as {{ name }},
        cast(fits.{{ name }}_standard_error as double) as {{ name }}_standard_error,
        {% endfor -%}
        cast(fits.log_likelihood as double) as log_likelihood,
        cast(fits.customer_count as integer) as customer_count,
        customers.as_of_date as calibration_end,
        'day' as time_unit,
        customers.value_basis,
        fits.is_dropout_identified
    from fits
    cross join customers

)

select * from final
