{% set happened_in = {
    'orders': ['storefront', ref('stg_storefront__orders')],
    'customers': ['storefront', ref('stg_storefront__customers')],
    'refunds': ['storefront', ref('stg_storefront__refunds')],
    'deliveries': ['storefront', ref('stg_storefront__deliveries')],
    'events': ['web', ref('stg_web__events')],
    'exposures': ['experiments', ref('stg_experiments__exposures')],
    'tickets': ['support', ref('stg_support__tickets')],
    'nps_surveys': ['feedback', ref('stg_feedback__nps_surveys')],
    'reviews': ['feedback', ref('stg_feedback__reviews')],
    'campaigns': ['email', ref('stg_email__campaigns')],
    'email_events': ['email', ref('stg_email__email_events')],
    'referrals': ['marketing', ref('stg_marketing__referrals')],
} %}

with orders as (

    select * from {{ ref('stg_storefront__orders') }}

),

-- a row per column that says when something happened: versions that lost count as well,
-- rows set aside do not
happenings as (

    select
        cast(null as timestamp) as first_happened_at,
        cast(null as timestamp) as last_happened_at
    {%- for table_name, (source_name, relation) in happened_in.items() %}
    {%- set columns = raw_contract(source_name, table_name).columns %}
    {%- for column in columns if column.meta.happened %}
    union all
    select
        min({{ column.name }}) as first_happened_at,
        max({{ column.name }}) as last_happened_at
    from {{ relation }}
    where row_bucket not in ('quarantined', 'after_as_of')
    {%- endfor %}
    {%- endfor %}

),

period as (

    select
        min(first_happened_at) as first_happened_at,
        max(last_happened_at) as last_happened_at
    from happenings

),

currencies as (

    select
        min(currency) as only_currency,
        count(distinct currency) as currency_count,
        string_agg(distinct currency, ', ' order by currency) as currency_names
    from orders
    where row_bucket = 'staged'

),

final as (

    select
        period.first_happened_at,
        period.last_happened_at,
        {% if var('as_of') -%} {{ moment(var('as_of')) }}
        {%- else -%} period.last_happened_at
        {%- endif %} as as_of,
        {% if var('base_currency') -%} '{{ var('base_currency') }}'
        {%- else -%}
        case
            when currencies.currency_count > 1
                then {{ stop_with(
                    "'orders come in several currencies (' || currencies.currency_names"
                    ~ " || '): name the one to report in with var base_currency'"
                ) }}
            else currencies.only_currency
        end
        {%- endif %} as base_currency
    from period
    cross join currencies

)

select
    *,
    {{ reporting_date('as_of') }} as as_of_date
from final
