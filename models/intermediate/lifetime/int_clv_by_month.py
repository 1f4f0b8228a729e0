import pyarrow as pa

from cx_warehouse.clv.warehouse import NUMBERS, VALUED, options_of, value_months


def model(dbt, session):
    options = options_of(dbt.config.meta_get("clv_options"))
    states = dbt.ref("int_customer_states").filter("not is_as_of")
    ended = states.project("state_month").distinct().order("state_month").fetchall()
    columns = ", ".join(("person_id", "state_month", "segment_name", "segment_value", *NUMBERS))
    months = (
        states.filter(f"state_month = date '{month}'")
        .project(columns)
        .order("person_id")
        .to_arrow_table()
        for (month,) in ended
    )
    return pa.concat_tables([VALUED.empty_table(), *value_months(months, options)])
