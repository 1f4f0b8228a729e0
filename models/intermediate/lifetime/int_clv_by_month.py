from itertools import chain

import pyarrow as pa

from cx_warehouse.clv.warehouse import NUMBERS, VALUED, options_of, value_months


def model(dbt, session):
    options = options_of(dbt.config.meta_get("clv_options"))
    ended = dbt.ref("int_customer_states").filter("not is_as_of")
    # read while the values are written, so over a connection of its own
    states = session.cursor().sql(ended.sql_query())
    columns = ", ".join(("person_id", "state_month", "segment_name", "segment_value", *NUMBERS))
    months = (
        states.filter(f"state_month = date '{month}'")
        .project(columns)
        .order("person_id")
        .to_arrow_table()
        for (month,) in states.project("state_month").distinct().order("state_month").fetchall()
    )
    values = map(pa.Table.to_batches, value_months(months, options))
    return pa.RecordBatchReader.from_batches(VALUED, chain.from_iterable(values))
