from cx_warehouse.clv.warehouse import CUSTOMERS, backtest, options_of


def model(dbt, session):
    options = options_of(
        model=dbt.config.meta_get("model"),
        horizon_months=dbt.config.meta_get("horizon_months"),
        monthly_discount_rate=dbt.config.meta_get("monthly_discount_rate"),
        group_min_customers=dbt.config.meta_get("group_min_customers"),
        shrinkage_orders=dbt.config.meta_get("shrinkage_orders"),
    )
    customers = dbt.ref("int_clv_customers").filter("holdout_days > 0")
    in_order = customers.project(", ".join(CUSTOMERS)).order("person_id")
    return backtest(in_order.to_arrow_table(), options)
