-- Every person is known by the identifier that its key is made of, and every identifier
-- belongs to one person.
with links as (

    select
        identifier_id,
        min(person_id) as person_id,
        max(person_id) as other_person_id
    from {{ ref('dim_identity_links') }}
    group by identifier_id

),

persons as (

    select * from {{ ref('dim_persons') }}

)

select persons.person_id
from persons
left join links on persons.person_id = links.identifier_id
where
    links.identifier_id is null
    or links.person_id <> persons.person_id
    or links.person_id <> links.other_person_id
