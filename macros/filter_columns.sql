{#- The columns of events that a filter may name: those of the raw contract, without e-mails. They are written down, since
    unit tests render models without the contract. -#}
{% macro filter_columns() -%}
    {{- return([
        'event_id', 'anonymous_id', 'customer_id', 'occurred_at', 'received_at', 'event_name', 'page_url', 'page_type',
        'referrer_url', 'utm_source', 'utm_medium', 'utm_campaign', 'utm_content', 'utm_term', 'click_id',
        'device_type', 'browser', 'user_agent', 'country', 'product_id', 'quantity', 'cart_id', 'order_id',
        'search_term', 'search_result_count', 'element_id', 'error_code', 'load_time_ms', 'event_value', 'currency',
        'items', 'properties',
    ]) -}}
{%- endmacro %}
