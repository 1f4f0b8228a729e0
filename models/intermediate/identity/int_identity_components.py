from cx_warehouse.identity.components import connected_components


def model(dbt, session):
    # a pair that shares neither end with another needs no search
    tangled = dbt.ref("int_identity_edges").query(
        "edges",
        """
        select customer_id, email_hash from edges
        qualify count(*) over (partition by customer_id) > 1
            or count(*) over (partition by email_hash) > 1
        """,
    )
    return connected_components(tangled.to_arrow_table())
