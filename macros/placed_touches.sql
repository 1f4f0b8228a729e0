{#- CTEs `placed_touches` and `placed_legs`: the rows of `touches` (touch_kind, touch_key, person_id, occurred_at and more) and
    of `legs` (person_id, leg_number, ordered_at, empty without an order, and more) with a leg_key to join them by, beside the
    person and the times. It is 0 but for who ordered very often, as the account for all sales of a store does: each of their
    touches would meet each of their legs. A touch at the moment of an order comes before it. -#}
{% macro placed_touches(touches, legs) %}
busy as (
    select person_id from {{ legs }} group by person_id having count(*) > 500
),

busy_history as (
    select touch_kind, touch_key, person_id, occurred_at, 0 as is_order
    from {{ touches }} where person_id in (select person_id from busy)
    union all
    select null, null, person_id, ordered_at, 1
    from {{ legs }} where ordered_at is not null and person_id in (select person_id from busy)
),

busy_places as (
    select touch_kind, touch_key, 1 + cast(sum(is_order) over (
        partition by person_id order by occurred_at, is_order rows between unbounded preceding and current row
    ) as integer) as leg_number
    from busy_history
),

placed_touches as (
    select {{ touches }}.*, coalesce(busy_places.leg_number, 0) as leg_key
    from {{ touches }}
    left join busy_places
        on {{ touches }}.touch_kind = busy_places.touch_kind and {{ touches }}.touch_key = busy_places.touch_key
),

placed_legs as (
    select {{ legs }}.*, case when busy.person_id is null then 0 else {{ legs }}.leg_number end as leg_key
    from {{ legs }}
    left join busy on {{ legs }}.person_id = busy.person_id
)
{%- endmacro %}
