{#- CTEs that give each row of a CTE its person, the last one named `owned`. The account says whose row it is; only a row
    without one asks the e-mail. Needs the CTE `identifiers`. -#}
{% macro owned_rows(relation) %}
customers as (

    select * from identifiers
    where identifier_kind = 'customer_id'

),

emails as (

    select * from identifiers
    where identifier_kind = 'email_hash'

),

owned as (

    select
        {{ relation }}.*,
        coalesce(customers.person_id, emails.person_id) as person_id
    from {{ relation }}
    left join customers on {{ relation }}.customer_id = customers.identifier
    left join emails
        on
            case when {{ relation }}.customer_id is null then {{ relation }}.email_hash end
            = emails.identifier

)
{%- endmacro %}
