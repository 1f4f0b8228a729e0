-- What do people search for and not find, and what goes with that? Of each term that
-- found nothing: how often, and in how many of its sessions an order followed, beside
-- the sessions that found something. margin_missed values the difference with the mean
-- margin of the last orders of sessions that searched, 0 for a cancelled one; it is
-- association, and null while that margin is unknown.
with searches as (

    select * from {{ ref('fct_searches') }}
    where is_zero_result is not null

),

orders as (

    select
        session_id,
        case when is_cancelled then 0 else contribution_margin end as margin,
        row_number() over (
            partition by session_id order by ordered_at desc, order_id desc
        ) as rank_from_last
    from {{ ref('fct_orders') }}
    where session_id is not null

),

-- whoever searches again for the same misses one order
found as (

    select
        count(distinct session_id) filter (where led_to_order)
        / nullif(cast(count(distinct session_id) as double), 0) as order_rate
    from searches
    where not is_zero_result

),

ordered as (

    select session_id
    from searches
    where led_to_order
    group by session_id

),

worth as (

    select
        case
            when count(*) = count(orders.margin)
                then avg(cast(orders.margin as double))
        end as margin_per_order
    from ordered
    inner join orders
        on ordered.session_id = orders.session_id and orders.rank_from_last = 1

),

terms as (

    select
        search_term,
        count(*) as searches,
        count(distinct session_id) as sessions,
        count(distinct person_id) as persons,
        count(distinct session_id) filter (where led_to_order)
            as sessions_with_an_order
    from searches
    where is_zero_result
    group by search_term

),

final as (

    select
        terms.search_term,
        terms.searches,
        terms.sessions,
        terms.persons,
        terms.sessions_with_an_order / cast(terms.sessions as double) as order_rate,
        found.order_rate as order_rate_where_found,
        (terms.sessions * found.order_rate - terms.sessions_with_an_order)
        * worth.margin_per_order as margin_missed
    from terms
    cross join found
    cross join worth

)

select * from final
order by searches desc, search_term asc
