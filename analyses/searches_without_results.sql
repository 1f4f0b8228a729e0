-- What do people search for and not find, and what goes with that? Of each term that
-- found nothing: how often, and how many of its searches were followed by an order in
-- the session, beside the searches that found something. margin_missed values the
-- difference with the mean margin of orders after a search; it is association, and null
-- while that margin is unknown.
with searches as (

    select * from {{ ref('fct_searches') }}
    where is_zero_result is not null

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where not is_cancelled

),

found as (

    select avg(case when led_to_order then 1.0 else 0.0 end) as order_rate
    from searches
    where not is_zero_result

),

ordered as (

    select distinct sessions.order_id
    from searches
    inner join sessions on searches.session_id = sessions.session_id
    where searches.led_to_order

),

worth as (

    select
        case
            when count(*) = count(orders.contribution_margin)
                then avg(cast(orders.contribution_margin as double))
        end as margin_per_order
    from ordered
    inner join orders on ordered.order_id = orders.order_id

),

terms as (

    select
        search_term,
        count(*) as searches,
        count(distinct person_id) as persons,
        count(*) filter (where led_to_order) as searches_before_an_order
    from searches
    where is_zero_result
    group by search_term

),

final as (

    select
        terms.search_term,
        terms.searches,
        terms.persons,
        terms.searches_before_an_order / cast(terms.searches as double) as order_rate,
        found.order_rate as order_rate_where_found,
        (terms.searches * found.order_rate - terms.searches_before_an_order)
        * worth.margin_per_order as margin_missed
    from terms
    cross join found
    cross join worth

)

select * from final
order by searches desc, search_term asc
