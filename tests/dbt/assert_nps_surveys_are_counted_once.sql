-- Each segment of agg_nps counts every survey and every answer that counts, once.
with counted as (

    select
        segment_name,
        sum(surveys_sent) as surveys_sent,
        sum(surveys_mature) as surveys_mature,
        sum(responses) as responses
    from {{ ref('agg_nps') }}
    group by segment_name

),

expected as (

    select
        count(*) as surveys_sent,
        count(*) filter (where is_mature) as surveys_mature,
        count(*) filter (where is_newest_answer) as responses
    from {{ ref('fct_nps_responses') }}

)

select counted.segment_name
from counted
cross join expected
where
    counted.surveys_sent <> expected.surveys_sent
    or counted.surveys_mature <> expected.surveys_mature
    or counted.responses <> expected.responses
