-- What does support cost per order, and what does it do to the score? By what customers
-- lived through: no ticket, tickets that went well, tickets that did not (answered too
-- late, reopened or asked again). Orders go by the tickets that name them; answers by
-- the ticket they name and the person's tickets in the days before. Tickets of no
-- order, or of a cancelled one, cost as well: cost_per_order_of_all holds them. This is
-- association: whoever had trouble with support mostly had trouble with the order
-- first.
{% set days_before_answer = 60 %}

with experiences as (

    select
        0 as trouble,
        'no ticket' as support_experience
    union all
    select
        1 as trouble,
        'tickets that went well' as support_experience
    union all
    select
        2 as trouble,
        'tickets that did not' as support_experience
    union all
    select
        3 as trouble,
        'tickets of no order' as support_experience
    union all
    select
        4 as trouble,
        'tickets not known' as support_experience

),

tickets as (

    select
        *,
        case
            when
                coalesce(is_sla_breached, false)
                or coalesce(is_reopened, false)
                or is_repeat_contact
                then 2
            else 1
        end as trouble
    from {{ ref('fct_support_tickets') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where not is_cancelled

),

answers as (

    select
        *,
        coalesce(responded_at, sent_at) as answered_at
    from {{ ref('fct_nps_responses') }}
    where is_newest_answer

),

order_tickets as (

    select
        order_id,
        max(trouble) as trouble,
        count(*) as tickets,
        count(cost_to_serve) as costed_tickets,
        sum(cost_to_serve) as cost_to_serve
    from tickets
    where order_id is not null
    group by order_id

),

order_costs as (

    select
        coalesce(order_tickets.trouble, 0) as trouble,
        count(*) as orders,
        coalesce(sum(order_tickets.tickets), 0) as tickets,
        coalesce(sum(order_tickets.costed_tickets), 0) as costed_tickets,
        sum(order_tickets.cost_to_serve) as cost_to_serve
    from orders
    left join order_tickets on orders.order_id = order_tickets.order_id
    group by all
    union all
    select
        3 as trouble,
        0 as orders,
        count(*) as tickets,
        count(tickets.cost_to_serve) as costed_tickets,
        sum(tickets.cost_to_serve) as cost_to_serve
    from tickets
    anti join orders on tickets.order_id = orders.order_id

),

tickets_before_answers as (

    select
        answers.survey_id,
        tickets.trouble
    from answers
    inner join tickets
        on
            answers.person_id = tickets.person_id
            and answers.answered_at >= tickets.created_at
            and answers.answered_at
            < tickets.created_at + interval '{{ days_before_answer }}' day
    union all
    select
        answers.survey_id,
        tickets.trouble
    from answers
    inner join tickets on answers.ticket_id = tickets.ticket_id

),

-- the worst of them
answer_tickets as (

    select
        survey_id,
        max(trouble) as trouble
    from tickets_before_answers
    group by survey_id

),

-- of nobody, or about a ticket that is not there: no ticket cannot be said of it
scores as (

    select
        case
            when answer_tickets.trouble is not null then answer_tickets.trouble
            when answers.person_id is null then 4
            when answers.survey_trigger = 'post_support' then 4
            else 0
        end as trouble,
        count(*) as answers,
        count(*) filter (where answers.category = 'promoter') as promoters,
        count(*) filter (where answers.category = 'detractor') as detractors
    from answers
    left join answer_tickets on answers.survey_id = answer_tickets.survey_id
    group by all

),

final as (

    select
        experiences.support_experience,
        coalesce(order_costs.orders, 0) as orders,
        coalesce(order_costs.tickets, 0) as tickets,
        order_costs.tickets - order_costs.costed_tickets as tickets_of_unknown_cost,
        case
            when coalesce(order_costs.tickets, 0) = 0 then 0
            else order_costs.cost_to_serve
        end as cost_to_serve,
        case
            when order_costs.tickets = 0 then 0
            else cast(order_costs.cost_to_serve as double)
        end / nullif(order_costs.orders, 0) as cost_per_order,
        sum(cast(order_costs.cost_to_serve as double)) over ()
        / nullif(sum(order_costs.orders) over (), 0) as cost_per_order_of_all,
        coalesce(scores.answers, 0) as answers,
        100 * (scores.promoters - scores.detractors) / cast(scores.answers as double)
            as nps
    from experiences
    left join order_costs on experiences.trouble = order_costs.trouble
    left join scores on experiences.trouble = scores.trouble

)

select * from final
order by support_experience
