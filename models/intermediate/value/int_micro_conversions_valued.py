from cx_warehouse.value.warehouse import Rules, micro_conversion_values


def model(dbt, session):
    [(as_of,)] = dbt.ref("int_settings").select("as_of").fetchall()
    rules = Rules(as_of, float(dbt.config.meta_get("silence_days")))
    paths = dbt.ref("int_session_paths").to_arrow_table()
    orders = dbt.ref("int_order_rewards").to_arrow_table()
    registry = dbt.ref("micro_conversions").select("micro_conversion, stage_number")
    return micro_conversion_values(paths, orders, registry.to_arrow_table(), rules)
