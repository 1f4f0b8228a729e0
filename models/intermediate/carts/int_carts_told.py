from cx_warehouse.carts.walk import Moment, Rules, told_carts
from cx_warehouse.run_state import touched


def model(dbt, session):
    dbt.config(materialized="incremental", incremental_strategy="replace_touched")
    moments = dbt.ref("int_cart_moments").filter(touched(session, "walk", "shopper_id"))
    rules = Rules.of_settings(
        dbt.config.meta_get("abandon_hours"),
        dbt.config.meta_get("recovery_days"),
        dbt.config.meta_get("silence_days"),
    )
    columns = ", ".join(Moment._fields).replace("occurred_at", "epoch_us(occurred_at)")
    # read while the carts are written, so over a connection of its own
    in_time = session.cursor().sql(
        f"""
        select {columns} from ({moments.sql_query()}) as moments
        order by shopper_id, moments.occurred_at, place_at_a_time, moment_id
        """
    )
    return told_carts(in_time.to_arrow_reader(50_000), rules)
