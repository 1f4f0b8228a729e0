with order_items as (

    select * from {{ ref('int_order_items_valued') }}

),

orders as (

    select * from {{ ref('int_orders_converted') }}

),

refunds as (

    select * from {{ ref('int_refunds_converted') }}

),

refund_lines as (

    select * from {{ ref('int_refund_lines') }}

),

returned as (

    select
        order_item_id,
        sum(returned_quantity) as returned_quantity,
        sum(restocked_cost) as restocked_cost
    from refund_lines
    group by order_item_id

),

line_refunds as (

    select
        refunded_item_id as order_item_id,
        sum(refunded_goods) as refunded_goods
    from refunds
    where refunded_item_id is not null
    group by refunded_item_id

),

-- shipping refunds, and refunds without a line, are spread over the order
order_refunds as (

    select
        order_id,
        sum(refunded_shipping + case when refunded_item_id is null then refunded_goods else 0 end) as spread_refund
    from refunds
    group by order_id

),

order_sums as (

    select
        order_id,
        cast(sum(net_sales) as double) as net_sales,
        cast(sum(gross_sales) as double) as gross_sales,
        sum(gross_weight) as gross_weight
    from order_items
    group by order_id

),

-- by net sales (0: by gross)
headers as (

    select
        orders.order_id,
        orders.shipping_amount as order_shipping,
        orders.other_amount as order_other,
        orders.payment_fee as order_payment_fee,
        orders.fulfilment_cost as order_fulfilment_cost,
        coalesce(order_refunds.spread_refund, 0) as order_refund,
        orders.is_fee_assumed,
        case
            when order_sums.net_sales <> 0 then 'net'
            when order_sums.gross_sales <> 0 then 'gross'
            else 'price'
        end as weighed_by,
        case
            when order_sums.net_sales <> 0 then order_sums.net_sales
            when order_sums.gross_sales <> 0 then order_sums.gross_sales
            else order_sums.gross_weight
        end as weight_sum
    from order_sums
    inner join orders on order_sums.order_id = orders.order_id
    left join order_refunds on order_sums.order_id = order_refunds.order_id

),

weighed as (

    select
        order_items.*,
        headers.order_shipping,
        headers.order_other,
        headers.order_payment_fee,
        headers.order_fulfilment_cost,
        headers.order_refund,
        headers.is_fee_assumed,
        headers.weight_sum,
        case headers.weighed_by
            when 'net' then cast(order_items.net_sales as double)
            when 'gross' then cast(order_items.gross_sales as double)
            else order_items.gross_weight
        end as weight
    from order_items
    inner join headers on order_items.order_id = headers.order_id

),

{% set parts = {
    'shipping_part': ['order_shipping', 'weight'],
    'other_part': ['order_other', 'weight'],
    'payment_part': ['order_payment_fee', 'weight'],
    'fulfilment_part': ['order_fulfilment_cost', 'weight'],
    'refund_part': ['order_refund', 'weight'],
} -%}

shared as (

    select
        *
        {%- for part, (amount, weight) in parts.items() %},
        {{ to_cents(amount ~ ' * (weight / weight_sum)') }} as {{ part }}
        {%- endfor %}
    from weighed

),

{{ remainders('shared', parts) }},

allocated as (

    select
        shared.*,
        {%- for part in parts %}
        shared.{{ part }} + coalesce(remainders.{{ part }}, 0) as {{ part }}_exact,
        {%- endfor %}
        coalesce(returned.returned_quantity, 0) as returned_quantity,
        coalesce(line_refunds.refunded_goods, 0) as line_refund,
        {{ to_cents('shared.line_cost') }} - coalesce(returned.restocked_cost, 0) as cost_of_goods
    from shared
    left join remainders on shared.order_item_id = remainders.order_item_id
    left join returned on shared.order_item_id = returned.order_item_id
    left join line_refunds on shared.order_item_id = line_refunds.order_item_id

),

netted as (

    select
        *,
        line_refund + refund_part_exact as refund_amount,
        net_sales - line_refund - refund_part_exact + shipping_part_exact + other_part_exact as net_revenue
    from allocated

),

final as (

    select
        order_item_id,
        order_id,
        product_id,
        cast(quantity as decimal(18, 6)) as quantity,
        cast(returned_quantity as decimal(18, 6)) as returned_quantity,
        gross_sales,
        discount_amount,
        net_sales,
        cast(refund_amount as decimal(18, 2)) as refund_amount,
        cast(shipping_part_exact as decimal(18, 2)) as shipping_amount,
        cast(other_part_exact as decimal(18, 2)) as other_amount,
        cast(net_revenue as decimal(18, 2)) as net_revenue,
        cast(cost_of_goods as decimal(18, 2)) as cost_of_goods,
        cast(payment_part_exact as decimal(18, 2)) as payment_fee,
        cast(fulfilment_part_exact as decimal(18, 2)) as fulfilment_cost,
        cast(
            net_revenue - cost_of_goods - payment_part_exact - fulfilment_part_exact as decimal(18, 2)
        ) as contribution_margin,
        case
            when cost_quality = 'actual' and is_fee_assumed then 'assumed'
            else cost_quality
        end as cost_quality
    from netted

)

select * from final
