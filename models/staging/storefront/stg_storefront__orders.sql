{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'storefront.orders': "coalesce(order_id, '')"},
        'emits': {'order': 'order_id', 'evidence': 'coalesce(customer_id, email_hash)'},
    },
    pre_hook="{{ gather_raw_rows('storefront', 'orders') }}",
) }}

{% set contract = raw_contract('storefront', 'orders') %}
{% set total_mismatch = [
    'total_mismatch',
    "abs(order_total - (item_total - coalesce(discount_total, 0)"
    ~ " + coalesce(shipping_total, 0) + coalesce(other_total, 0)"
    ~ " + case when prices_include_tax then 0 else coalesce(tax_total, 0) end))"
    ~ " > " ~ var('money_tolerance'),
    'order_total differs from the sum of its parts',
] %}
{% set status_columns = contract.columns | selectattr('name', 'equalto', 'status') %}
{% set status = known_word(status_columns | first) %}
{% if var('as_of') %}
    {#- a cancellation that lies after as_of has not happened yet -#}
    {% set status -%}
        case
            when
                cancelled_at > {{ moment(var('as_of')) }}
                and {{ status }} = 'cancelled' then 'placed'
            else {{ status }}
        end
    {%- endset %}
{% endif %}

with value_map as (

    select * from {{ ref('value_map') }}

),

typed as (

    select
        {{ typed_columns(contract) }}
    from {{ raw_rows(source('storefront', 'orders')) }}

),

{{ repeated_keys(raw_rows(source('storefront', 'orders')), contract) }},

judged as (

    select
        typed.*,
        {{ row_reason(contract, more=[total_mismatch]) }} as quarantine_reason,
        {{ is_after_as_of(contract) }} as is_after_as_of,
        {{ is_repeated() }} as is_repeated
    from typed
    {{ join_repeated_keys() }}

),

{{ bucketed_rows(contract) }},

final as (

    select
        {{ staged_columns(contract, {'status': status}) }}
    from bucketed
    {{ mapped_words(contract) }}

)

select * from final
