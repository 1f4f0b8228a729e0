from cx_warehouse.funnels.walk import funnels_of, walked
from cx_warehouse.run_state import touched

ROWS_AT_ONCE = 100_000


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="replace_touched")
    steps = dbt.ref("int_funnel_rules").project("funnel_name, step_number, window_hours")
    funnels = funnels_of(steps.fetchall())
    moments = dbt.ref("int_funnel_moments").filter(touched(session, "funnel_walk", "person_id"))
    in_time = moments.order("person_key, occurred_at, step_number, event_id")
    # read while the entries are written, so over a connection of its own
    read = session.cursor().sql(in_time.sql_query())
    return walked(read.to_arrow_reader(ROWS_AT_ONCE), funnels)
