{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={
        'touched_by': {'person': 'person_id', 'profile': 'person_id'},
        'emits': {'profile': 'person_id'},
    },
    pre_hook=[
        "{{ touch('profile', this, 'person_id', touched('web_start', \"'web'\")) }}",
        "{{ touch('profile', ref('int_orders_numbered'), 'person_id', touched('order', 'order_id')) }}",
        "{{ touch('profile', ref('int_sessions_owned'), 'person_id', touched('session', 'session_id')) }}",
    ],
) }}

{% set is_touched = touched(['person', 'profile'], 'person_id') %}

with orders as (

    select * from {{ ref('int_orders_converted') }}

),

numbered as (

    select * from {{ ref('int_orders_numbered') }}
    where is_first_order and {{ is_touched }}

),

order_items as (

    select * from {{ ref('int_order_items_valued') }}

),

sessions as (

    select * from {{ ref('int_sessions_owned') }}
    where {{ is_touched }}

),

channels as (

    select * from {{ ref('int_session_channels') }}

),

web as (

    select * from {{ ref('int_web_start') }}

),

first_orders as (

    select
        numbered.person_id,
        orders.order_id,
        orders.ordered_at,
        orders.sales_channel,
        {{ month_of('orders.order_date') }} as cohort_month,
        orders.country,
        numbered.promotion_id,
        numbered.is_promo_order
    from orders
    inner join numbered on orders.order_id = numbered.order_id

),

-- the line with the largest net sales, ties to the smallest order_item_id
ranked_lines as (

    select
        first_orders.order_id,
        order_items.category,
        row_number() over (
            partition by first_orders.order_id
            order by order_items.net_sales desc, order_items.order_item_id asc
        ) as line_rank
    from first_orders
    inner join order_items on first_orders.order_id = order_items.order_id

),

-- the last session that came from somewhere
sources as (

    select
        first_orders.person_id,
        max_by(
            channels.channel_group, row(sessions.started_at, sessions.session_id)
        ) as channel_group
    from first_orders
    inner join sessions
        on
            first_orders.person_id = sessions.person_id
            and first_orders.ordered_at >= sessions.started_at
            and first_orders.ordered_at
            <= sessions.started_at
            + interval '{{ var('acquisition_lookback_days') }}' day
    inner join channels on sessions.session_id = channels.session_id
    where channels.channel_group <> 'direct'
    group by first_orders.person_id

),

final as (

    select
        first_orders.person_id,
        first_orders.order_id as first_order_id,
        first_orders.ordered_at as first_order_at,
        first_orders.cohort_month,
        first_orders.country,
        ranked_lines.category as first_category,
        case
            when not web.has_events then null
            when first_orders.sales_channel in ('store', 'marketplace', 'phone')
                then first_orders.sales_channel
            when sources.channel_group is not null then sources.channel_group
            when first_orders.ordered_at >= web.first_session_at then 'direct'
        end as acquisition_channel,
        first_orders.promotion_id as acquisition_promotion_id,
        first_orders.is_promo_order as is_promo_acquired
    from first_orders
    left join ranked_lines
        on
            first_orders.order_id = ranked_lines.order_id
            and ranked_lines.line_rank = 1
    left join sources on first_orders.person_id = sources.person_id
    cross join web

)

select * from final
