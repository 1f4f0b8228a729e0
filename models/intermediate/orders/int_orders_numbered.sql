{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'buyer': 'person_id', 'order': 'order_id', 'order_of_buyer': 'order_id'},
        'emits': {'order': 'order_id', 'profile': 'person_id'},
    },
    pre_hook=[
        "{{ touch('order', ref('int_orders_converted'), 'order_id', touched(
            'promotion', 'lower(promotion_code)'
        )) }}",
        "{{ touch('buyer', this, 'person_id', touched('order', 'order_id')) }}",
        "{{ touch('buyer', ref('int_identifiers_resolved'), 'person_id', 'identifier in (
            select coalesce(customer_id, email_hash)
            from ' ~ ref('int_orders_converted') ~ ' where ' ~ touched('order', 'order_id')
        ~ ')') }}",
        "{{ touch('order_of_buyer', this, 'order_id', touched('buyer', 'person_id')) }}",
    ],
) }}

{% set kinds = var('non_promo_kinds') or [] %}
{% set non_promo_kinds = "'" ~ kinds | join("', '") ~ "'" %}

-- whoever has a touched order, old or new, is touched
with identifiers as (

    select * from {{ ref('int_identifiers_resolved') }}
    where {{ touched('buyer', 'person_id') }}

),

-- all their orders: the numbers go by all of them
orders as (

    select
        order_id,
        customer_id,
        email_hash,
        promotion_code,
        ordered_at,
        order_date,
        is_cancelled,
        round(
            discount_amount / nullif(cast(gross_sales as double), 0), 9
        ) as discount_share,
        -- in the header's own decimals: a quotient of doubles, or of parts that are
        -- rounded after tax and rate, may lie just below the share
        original_gross > 0
        and original_discount
        >= {{ var('promo_discount_share_min') }} * original_gross as is_discounted
    from {{ ref('int_orders_converted') }}
    where
        {{ touched('order', 'order_id') }}
        or {{ touched('order_of_buyer', 'order_id') }}
        or coalesce(customer_id, email_hash) in (
            select identifiers.identifier from identifiers
        )

),

promotions as (

    select * from {{ ref('int_promotion_terms') }}

),

-- of the promotions good under the code at the time, the one that started last
order_promotions as (

    select
        orders.order_id,
        promotions.promotion_id,
        promotions.promotion_kind,
        row_number() over (
            partition by orders.order_id
            order by promotions.starts_at desc, promotions.promotion_id desc
        ) as promotion_rank
    from orders
    inner join promotions
        on
            lower(orders.promotion_code) = promotions.promotion_code
            and orders.ordered_at >= promotions.starts_at
            and orders.ordered_at <= promotions.ends_at

),

{{ owned_rows('orders') }},

-- cancelled orders have no number, and anonymous ones nobody to count for
numbered as (

    select
        order_id,
        row_number() over person_history as person_order_number,
        lag(order_date) over person_history as previous_order_date
    from owned
    where not is_cancelled and person_id is not null
    window person_history as (partition by person_id order by ordered_at, order_id)

),

final as (

    select
        owned.order_id,
        owned.person_id,
        numbered.person_order_number,
        coalesce(numbered.person_order_number = 1, false) as is_first_order,
        {{ dbt.datediff(
            'numbered.previous_order_date', 'owned.order_date', 'day'
        ) }} as days_since_previous_order,
        order_promotions.promotion_id,
        owned.discount_share,
        case
            when order_promotions.promotion_id is not null
                then
                    coalesce(
                        order_promotions.promotion_kind not in ({{ non_promo_kinds }}),
                        true
                    )
            else coalesce(owned.is_discounted, false)
        end as is_promo_order
    from owned
    left join numbered on owned.order_id = numbered.order_id
    left join order_promotions
        on
            owned.order_id = order_promotions.order_id
            and order_promotions.promotion_rank = 1

)

select * from final
