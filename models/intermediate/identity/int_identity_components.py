from cx_warehouse.identity.components import connected_components


def model(dbt, session):
    edges = dbt.ref("int_identity_edges").select("customer_id, email_hash")
    return connected_components(edges.to_arrow_table())
