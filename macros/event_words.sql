{#- The events that every seed may name, whatever a shop's sources send: those of the raw contract. -#}
{% macro event_words() %}
    {{ return([
        'page_view', 'product_view', 'search', 'filter_applied', 'review_viewed', 'size_guide_viewed', 'advisor_started',
        'advisor_completed', 'chat_started', 'wishlist_added', 'add_to_cart', 'remove_from_cart', 'cart_view',
        'checkout_started', 'shipping_entered', 'payment_info_entered', 'coupon_applied', 'coupon_rejected',
        'payment_declined', 'purchase', 'newsletter_signup', 'account_registered', 'login', 'social_share', 'rage_click',
        'dead_click', 'form_error', 'page_error',
    ]) }}
{% endmacro %}
