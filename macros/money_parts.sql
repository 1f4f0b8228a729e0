{#- The money columns that others follow from, in the order of the movements. -#}
{% macro money_parts() %}
    {{ return([
        'gross_sales', 'discount_amount', 'net_sales', 'refund_amount', 'shipping_amount', 'other_amount',
        'cost_of_goods', 'payment_fee', 'fulfilment_cost',
    ]) }}
{% endmacro %}
