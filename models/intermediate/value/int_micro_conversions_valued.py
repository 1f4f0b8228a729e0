from cx_warehouse.clv.warehouse import FITS, options_of
from cx_warehouse.value.warehouse import Rules, micro_conversion_values


def model(dbt, session):
    options = options_of(dbt.config.meta_get("clv_options"))
    [(as_of,)] = dbt.ref("int_settings").select("as_of").fetchall()
    rules = Rules(as_of, float(dbt.config.meta_get("silence_days")), options)
    predicted = dbt.ref("int_clv_predicted")
    fits = predicted.select(", ".join(FITS.names[1:])).distinct()
    rewards = dbt.ref("int_order_rewards")
    orders = session.sql(
        "select rewards.* exclude (person_id), predicted.model_run_id"
        " from rewards left join predicted using (person_id)"
    )
    return micro_conversion_values(
        dbt.ref("int_session_paths").to_arrow_table(),
        orders.to_arrow_table(),
        fits.to_arrow_table(),
        dbt.ref("micro_conversions").to_arrow_table(),
        rules,
    )
