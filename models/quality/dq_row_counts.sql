{% set raw_tables = {
    'storefront': {
        'orders': source('storefront', 'orders'),
        'order_items': source('storefront', 'order_items'),
        'customers': source('storefront', 'customers'),
        'products': source('storefront', 'products'),
        'refunds': source('storefront', 'refunds'),
        'deliveries': source('storefront', 'deliveries'),
        'promotions': source('storefront', 'promotions'),
        'exchange_rates': source('storefront', 'exchange_rates'),
    },
    'web': {
        'events': source('web', 'events'),
    },
    'experiments': {
        'experiments': source('experiments', 'experiments'),
        'exposures': source('experiments', 'exposures'),
    },
    'support': {
        'tickets': source('support', 'tickets'),
    },
    'feedback': {
        'nps_surveys': source('feedback', 'nps_surveys'),
        'reviews': source('feedback', 'reviews'),
    },
    'email': {
        'campaigns': source('email', 'campaigns'),
        'email_events': source('email', 'email_events'),
    },
    'marketing': {
        'ad_spend': source('marketing', 'ad_spend'),
        'referrals': source('marketing', 'referrals'),
    },
} %}
{% set bucket_names = [
    'staged', 'quarantined', 'duplicate', 'after_as_of', 'no_device', 'bot'
] %}

with buckets as (

    select * from {{ ref('int_row_buckets') }}

),

-- counted from the files, not from what became of the rows
raw_counts as (

    {% for source_name, tables in raw_tables.items() -%}
    {% set is_last_source = loop.last -%}
    {% for table_name, relation in tables.items() -%}
    select
        '{{ source_name }}' as source_name,
        '{{ table_name }}' as table_name,
        count(*) as raw_rows
    from {{ relation }}
    {{ 'union all' if not (loop.last and is_last_source) }}
    {% endfor -%}
    {% endfor %}

),

bucket_counts as (

    select
        {% for name in bucket_names -%}
        sum(
            case when row_bucket = '{{ name }}' then row_count else 0 end
        ) as {{ name }}_rows,
        {% endfor -%}
        source_name,
        table_name
    from buckets
    group by all

),

counted as (

    select
        raw_counts.source_name,
        raw_counts.table_name,
        {% for name in bucket_names -%}
        cast(coalesce(bucket_counts.{{ name }}_rows, 0) as bigint) as {{ name }}_rows,
        {% endfor -%}
        raw_counts.raw_rows
    from raw_counts
    left join bucket_counts
        on
            raw_counts.source_name = bucket_counts.source_name
            and raw_counts.table_name = bucket_counts.table_name

),

final as (

    select
        *,
        raw_rows = staged_rows + quarantined_rows + duplicate_rows
        + after_as_of_rows + no_device_rows + bot_rows as is_balanced
    from counted

)

select * from final
