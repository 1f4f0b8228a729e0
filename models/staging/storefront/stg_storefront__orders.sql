{% set contract = raw_contract('storefront', 'orders') %}
{% set total_mismatch = [
    'total_mismatch',
    "abs(order_total - (item_total - coalesce(discount_total, 0) + coalesce(shipping_total, 0)"
    ~ " + coalesce(other_total, 0) + case when prices_include_tax then 0 else coalesce(tax_total, 0) end))"
    ~ " > " ~ var('money_tolerance'),
    'order_total differs from the sum of its parts',
] %}
{% set status_column = contract.columns | selectattr('name', 'equalto', 'status') | first %}

with raw_rows as (

    select * from {{ source('storefront', 'orders') }}

),

value_map as (

    select * from {{ ref('value_map') }}

),

typed as (

    select
        {{ typed_columns(contract) }}
    from raw_rows

),

judged as (

    select
        *,
        {{ row_reason(contract, more=[total_mismatch]) }} as quarantine_reason,
        {{ is_after_as_of(contract) }} as is_after_as_of,
        {{ row_key(contract) }} as row_key
    from typed

),

{{ bucketed_rows(contract) }},

dated as (

    select
        *,
        -- a cancellation that lies after as_of has not happened yet
        {% if var('as_of') -%}
        case
            when cancelled_at > {{ moment(var('as_of')) }} then 'placed'
            else {{ known_word(contract, status_column) }}
        end as status_at_as_of
        {%- else -%}
        {{ known_word(contract, status_column) }} as status_at_as_of
        {%- endif %}
    from bucketed

),

final as (

    select
        {{ staged_columns(contract, {'status': 'status_at_as_of'}) }}
    from dated

)

select * from final
