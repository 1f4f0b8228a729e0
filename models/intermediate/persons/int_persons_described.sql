{{ config(
    materialized='incremental', incremental_strategy='replace_touched',
    meta={'touched_by': {'person': 'person_id', 'profile': 'person_id'}},
    pre_hook=["{{ touch('profile', ref('int_identifiers_resolved'), 'person_id', touched('link', 'identifier_id')) }}",
              "{{ touch('profile', ref('int_orders_numbered'), 'person_id', touched('order', 'order_id')) }}"],
) }}

{% set is_touched = touched(['person', 'profile'], 'person_id') %}

with identifiers as (

    select * from {{ ref('int_identifiers_resolved') }}
    where {{ is_touched }}

),

evidence as (

    select * from {{ ref('int_identity_evidence') }}
    union all
    select * from {{ ref('int_identity_weak_evidence') }}

),

orders as (

    select * from {{ ref('int_orders_earned') }}
    where not is_cancelled and person_id is not null and {{ is_touched }}

),

sessions as (

    select * from {{ ref('int_sessions_owned') }}
    where {{ is_touched }}

),

acquisitions as (

    select * from {{ ref('int_person_acquisitions') }}
    where {{ is_touched }}

),

-- whatever the survey followed
answers as (

    select
        person_id,
        max_by(score, row(answered_at, sent_at, survey_id)) as latest_score
    from {{ ref('int_surveys_answered') }}
    where answered_at is not null and person_id is not null and {{ is_touched }}
    group by person_id

),

customers as (

    select
        person_id,
        {{ sorted_list('identifier') }} as customer_ids
    from identifiers
    where identifier_kind = 'customer_id'
    group by person_id

),

-- every piece of evidence belongs to one person: by its account, else by its e-mail
sightings as (

    select
        identifiers.person_id,
        evidence.email_hash,
        evidence.evidence,
        evidence.first_seen_at,
        evidence.last_seen_at,
        evidence.is_current
    from evidence
    inner join identifiers
        on
            case
                when evidence.customer_id is null then 'email_hash' else 'customer_id'
            end = identifiers.identifier_kind
            and coalesce(evidence.customer_id, evidence.email_hash)
            = identifiers.identifier

),

-- the address to write to: an account's, the present one first; else the one seen last
addresses as (

    select
        person_id,
        email_hash,
        row_number() over (
            partition by person_id
            order by
                is_current desc, case when evidence = 'account' then 0 else 1 end asc,
                last_seen_at desc nulls last, email_hash asc
        ) as address_rank
    from sightings
    where email_hash is not null

),

-- who was never identified is a visitor: a device
appearances as (

    select
        person_id,
        first_seen_at,
        false as is_visitor
    from sightings
    union all
    select
        person_id,
        min(started_at) as first_seen_at,
        bool_and(is_visitor) as is_visitor
    from sessions
    group by person_id

),

persons as (

    select
        person_id,
        min(first_seen_at) as first_seen_at,
        bool_and(is_visitor) as is_visitor
    from appearances
    group by person_id

),

sales as (

    select
        person_id,
        min(ordered_at) as first_order_at,
        max(ordered_at) as last_order_at,
        count(*) as order_count,
        sum(net_revenue) as net_revenue,
        sum(contribution_margin) as known_margin,
        {{ cost_known_share(
            "sum(case when cost_quality <> 'unknown' then net_sales else 0 end)",
            'sum(net_sales)'
        ) }} as cost_known_share,
        bool_and(cost_quality <> 'unknown') as is_cost_known,
        bool_or(sales_channel = 'store') as has_store_orders,
        bool_or(sales_channel <> 'store') as has_other_orders
    from orders
    group by person_id

),

final as (

    select
        persons.person_id,
        case
            when customers.person_id is not null then 'customer'
            when persons.is_visitor then 'visitor'
            else 'guest'
        end as person_kind,
        customers.customer_ids,
        persons.first_seen_at,
        sales.first_order_at,
        sales.last_order_at,
        cast(coalesce(sales.order_count, 0) as integer) as order_count,
        cast(coalesce(sales.net_revenue, 0) as decimal(18, 2)) as net_revenue,
        cast(
            case
                when sales.person_id is null then 0
                else {{ margin_if_known('sales') }}
            end as decimal(18, 2)
        ) as contribution_margin,
        sales.cost_known_share,
        acquisitions.acquisition_channel,
        acquisitions.acquisition_promotion_id,
        acquisitions.is_promo_acquired,
        case
            when sales.has_store_orders and sales.has_other_orders then 'omnichannel'
            when sales.has_store_orders then 'store_only'
            when sales.has_other_orders then 'online_only'
        end as sales_channels,
        cast(answers.latest_score as integer) as latest_nps_score,
        addresses.email_hash
    from persons
    left join customers on persons.person_id = customers.person_id
    left join sales on persons.person_id = sales.person_id
    left join acquisitions on persons.person_id = acquisitions.person_id
    left join addresses
        on persons.person_id = addresses.person_id and addresses.address_rank = 1
    left join answers on persons.person_id = answers.person_id

)

select * from final
