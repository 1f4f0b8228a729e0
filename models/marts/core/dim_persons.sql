with persons as (

    select * from {{ ref('int_persons_described') }}

),

scores as (

    select * from {{ ref('int_customer_scores') }}
    where is_as_of

),

stages as (

    select * from {{ ref('lifecycle_stages') }}

),

-- of who never bought there is no score, and no day since
aged as (

    select
        persons.*,
        scores.rfm_segment,
        scores.value_tier,
        scores.predicted_clv,
        scores.probability_alive,
        scores.days_since_last_order
    from persons
    left join scores on persons.person_id = scores.person_id

),

ages as (

    select
        order_count,
        days_since_last_order
    from aged
    group by order_count, days_since_last_order

),

-- the first stage that holds so many orders of that age
staged as (

    select
        ages.order_count,
        ages.days_since_last_order,
        min_by(stages.lifecycle_stage, stages.stage_rank) as lifecycle_stage
    from ages
    inner join stages
        on
            ages.order_count >= stages.orders_min
            and ages.order_count <= coalesce(stages.orders_max, ages.order_count)
            and coalesce(ages.days_since_last_order, 0) <= coalesce(
                stages.days_since_last_order_max,
                ages.days_since_last_order,
                0
            )
    group by ages.order_count, ages.days_since_last_order

),

final as (

    select
        aged.person_id,
        aged.person_kind,
        aged.customer_ids,
        aged.first_seen_at,
        aged.first_order_at,
        aged.last_order_at,
        aged.order_count,
        aged.net_revenue,
        aged.contribution_margin,
        aged.cost_known_share,
        aged.acquisition_channel,
        aged.acquisition_promotion_id,
        aged.is_promo_acquired,
        aged.sales_channels,
        aged.rfm_segment,
        staged.lifecycle_stage,
        aged.value_tier,
        aged.latest_nps_score,
        aged.predicted_clv,
        aged.probability_alive,
        aged.email_hash
    from aged
    left join staged
        on
            aged.order_count = staged.order_count
            and coalesce(aged.days_since_last_order, -1)
            = coalesce(staged.days_since_last_order, -1)

)

select * from final
