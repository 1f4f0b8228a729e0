{#- Whether a row of fct_carts says of a cart what the new as_of no longer lets it say. -#}
{% macro time_passes_for_cart() -%}
    {%- set as_of = '(select max(as_of) from ' ~ ref('int_settings') ~ ')' -%}
    outcome in ('open', 'abandoned')
    and (outcome = 'open') <> (
        coalesce(abandoned_at, last_activity_at + interval '{{ var('cart_abandon_hours') }}' hour) > {{ as_of }}
    )
    or is_mature <> (abandoned_at + interval '{{ var('cart_recovery_days') }}' day <= {{ as_of }})
{%- endmacro %}
