from cx_warehouse.clv.warehouse import FITS, options_of
from cx_warehouse.value.shop import Orders, Rules
from cx_warehouse.value.warehouse import micro_conversion_values

ROWS_AT_ONCE = 100_000


# asked for when its turn has come: a connection answers one question at a time
def batches(relation):
    yield from relation.to_arrow_reader(ROWS_AT_ONCE)


def model(dbt, session):
    options = options_of(dbt.config.meta_get("clv_options"))
    [(as_of,)] = dbt.ref("int_settings").select("as_of").fetchall()
    rules = Rules(as_of, float(dbt.config.meta_get("silence_days")))
    predicted = dbt.ref("int_clv_predicted")
    fits = predicted.select(", ".join(FITS.names[1:])).distinct().to_arrow_table()
    registry = dbt.ref("micro_conversions").to_arrow_table()
    rewards = dbt.ref("int_order_rewards")
    orders = session.sql(
        "select rewards.* exclude (person_id), predicted.model_run_id"
        " from rewards left join predicted using (person_id)"
        " order by rewards.person_key, rewards.ordered_at, rewards.order_id"
    )
    sessions = dbt.ref("int_path_sessions").order("person_key, started_at, session_key")
    # read side by side with the sessions, so over a connection of its own
    steps = session.cursor().sql(dbt.ref("int_path_steps").order("person_key").sql_query())
    priced = Orders(batches(orders), fits, options)
    return micro_conversion_values(batches(sessions), batches(steps), priced, registry, rules)
