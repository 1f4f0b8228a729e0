{{ config(
    materialized='incremental',
    incremental_strategy='replace_touched',
    meta={'touched_by': {'file': '_file'}},
    pre_hook="{{ touch('file', 'raw_lake.files', 'location', is_new_file()) }}",
) }}

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

-- words that are in no closed list, and values of lenient columns that do not cast; of
-- what should be JSON not the text, in which anything may stand
with final as (

    {% for source_name, tables in raw_tables.items() -%}
    {% for table_name, relation in tables.items() -%}
    {% set contract = raw_contract(source_name, table_name) -%}
    {% set is_read = is_in_new_files(contract) -%}
    {% for column in contract.columns -%}
    {% if column.meta.words -%}
    {% set words -%} '{{ column.meta.words | join("', '") }}' {%- endset -%}
    select
        '{{ source_name }}' as source_name,
        '{{ table_name }}' as table_name,
        '{{ column.name }}' as column_name,
        {{ masked_address('lower(trim(cast(' ~ column.name ~ ' as varchar)))') }}
            as drift_value,
        _file,
        count(*) as row_count
    from {{ relation }}
    where {{ column.name }} is not null and {{ is_read }}
    group by all
    having drift_value not in ('', {{ words }})
    union all
    {% elif column.meta.lenient -%}
    {% set text = raw_text(column, column.name) -%}
    select
        '{{ source_name }}' as source_name,
        '{{ table_name }}' as table_name,
        '{{ column.name }}' as column_name,
        {{ "'no JSON'" if column.type == 'json' else masked_address(text) }}
            as drift_value,
        _file,
        count(*) as row_count
    from {{ relation }}
    where
        {{ column.name }} is not null
        and {{ is_read }}
        and {{ cast_raw(column) }} is null
        and {{ text }} is not null
    group by all
    union all
    {% endif -%}
    {% endfor -%}
    {% endfor -%}
    {% endfor -%}
    select
        cast(null as varchar) as source_name,
        cast(null as varchar) as table_name,
        cast(null as varchar) as column_name,
        cast(null as varchar) as drift_value,
        cast(null as varchar) as _file,
        cast(null as bigint) as row_count
    where false

)

select * from final
