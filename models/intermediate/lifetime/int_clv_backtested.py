from cx_warehouse.clv.warehouse import CUSTOMERS, backtest, options_of


def model(dbt, session):
    options = options_of(dbt.config.meta_get("clv_options"))
    customers = dbt.ref("int_clv_customers").filter("holdout_days > 0")
    in_order = customers.project(", ".join(CUSTOMERS)).order("person_id")
    return backtest(in_order.to_arrow_table(), options)
