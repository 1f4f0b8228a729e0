from cx_warehouse.attribution.markov import effects_by_month


def model(dbt, session):
    moves = dbt.ref("int_journey_moves").select("period_month, from_state, to_state, moves")
    enough = float(dbt.config.meta_get("min_conversions"))
    return effects_by_month(moves.to_arrow_table(), enough)
