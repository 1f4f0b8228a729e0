from cx_warehouse.clv.warehouse import CUSTOMERS, options_of, predict


def model(dbt, session):
    options = options_of(dbt.config.meta_get("clv_options"))
    customers = dbt.ref("int_clv_customers").filter("holdout_days = 0")
    in_order = customers.project(", ".join(CUSTOMERS)).order("person_id")
    people, fits = predict(in_order.to_arrow_table(), options)
    return session.sql("select * exclude (fit) from people inner join fits using (fit)")
