import pyarrow as pa

from cx_warehouse.clv.warehouse import NUMBERS, VALUED, options_of, value_months


def model(dbt, session):
    options = options_of(
        model=dbt.config.meta_get("model"),
        horizon_months=dbt.config.meta_get("horizon_months"),
        monthly_discount_rate=dbt.config.meta_get("monthly_discount_rate"),
        group_min_customers=dbt.config.meta_get("group_min_customers"),
        shrinkage_orders=dbt.config.meta_get("shrinkage_orders"),
    )
    states = dbt.ref("int_customer_states").filter("not is_as_of")
    ended = states.project("state_month").distinct().order("state_month").fetchall()
    columns = ", ".join(("person_id", "state_month", "segment_name", "segment_value", *NUMBERS))
    months = (
        states.filter(f"state_month = date '{month}'").project(columns).order("person_id").to_arrow_table()
        for (month,) in ended
    )
    return pa.concat_tables([VALUED.empty_table(), *value_months(months, options)])
