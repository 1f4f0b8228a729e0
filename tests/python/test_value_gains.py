"""What an order adds to a person's expected value: by the fit that scores everybody."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from cx_warehouse.clv.score import Options, score, value_of
from cx_warehouse.clv.warehouse import estimates_of, predict
from cx_warehouse.value.gains import HISTORY, clv_gains
from test_clv_score import shop

OPTIONS = Options(group_min_customers=400)


def customers_of(histories, **columns):
    """Return a table as the warehouse gives it to `predict`."""
    count = len(histories.frequency)
    names = (*HISTORY, "age_days")
    table = {name: pa.array(np.asarray(getattr(histories, name), dtype=float)) for name in names}
    same = {"segment_name": "all", "segment_value": "all", "cutoff_date": "2024-06-01"}
    same |= {"value_basis": "margin"}
    persons = {"person_id": pa.array([f"p-{number:05}" for number in range(count)])}
    return pa.table(persons | table | {n: [v] * count for n, v in same.items()} | columns)


def orders_of(histories, fit, **columns):
    """Let every history be the one after an order, without any before it."""
    count = len(histories.frequency)
    table = {}
    for name in HISTORY:
        values = pa.array(np.asarray(getattr(histories, name), dtype=float))
        table |= {f"after_{name}": values, f"before_{name}": pa.nulls(count, pa.float64())}
    age = pa.array(np.asarray(histories.age_days, dtype=float))
    return pa.table({**table, "age_days": age, "model_run_id": [fit] * count} | columns)


@pytest.mark.parametrize(
    "histories",
    [
        pytest.param(shop(3000), id="a shop"),
        pytest.param(shop(3000, parameters=(0.8, 30.0, 1e-6, 9.0)), id="nobody is lost"),
        pytest.param(shop(5), id="hardly anybody"),
    ],
)
def test_a_first_order_adds_what_is_predicted_after_it(histories):
    """The value of `score` itself, which had the fit at hand instead of a row of a table."""
    _, fits = predict(customers_of(histories), OPTIONS)
    [fit] = fits.to_pylist()
    gains = clv_gains(orders_of(histories, fit["model_run_id"]), fits, OPTIONS)
    assert gains == pytest.approx(score(histories, OPTIONS).predicted_clv_signed, rel=1e-12)


def test_a_later_order_adds_the_difference():
    histories = shop(3000)
    _, fits = predict(customers_of(histories), OPTIONS)
    [fit] = fits.to_pylist()
    orders = orders_of(histories, fit["model_run_id"])
    same = {f"before_{name}": orders[f"after_{name}"] for name in HISTORY}
    assert (clv_gains(orders_of(histories, fit["model_run_id"], **same), fits, OPTIONS) == 0).all()
    first = np.zeros(3000)
    spent = np.asarray(histories.net_sales)
    once = {"frequency": first, "recency_days": first, "monetary_value": first}
    once |= {"margin": 0.4 * spent, "net_sales": spent, "orders": first + 1}
    before = {f"before_{name}": pa.array(column) for name, column in once.items()}
    both = clv_gains(orders_of(histories, fit["model_run_id"], **before), fits, OPTIONS)
    after = clv_gains(orders, fits, OPTIONS)
    columns = type(histories)(age_days=histories.age_days, **once)
    assert both == pytest.approx(after - value_of(columns, estimates_of(fit), OPTIONS), abs=1e-9)


def test_an_order_of_nobody_adds_nothing():
    histories = shop(300)
    _, fits = predict(customers_of(histories), OPTIONS)
    [fit] = fits.to_pylist()
    nobody = pa.nulls(300, pa.string())
    assert (clv_gains(orders_of(histories, "", model_run_id=nobody), fits, OPTIONS) == 0).all()
    none = {f"after_{name}": pa.nulls(300, pa.float64()) for name in HISTORY}
    cancelled = orders_of(histories, fit["model_run_id"], **none)
    assert (clv_gains(cancelled, fits, OPTIONS) == 0).all()


def test_values_in_net_sales_are_no_margin():
    histories = shop(300)
    basis = {"value_basis": pa.array(["net_sales"] * 300)}
    _, fits = predict(customers_of(histories, **basis), OPTIONS)
    orders = orders_of(histories, fits["model_run_id"][0].as_py())
    assert np.isnan(clv_gains(orders, fits, OPTIONS)).all()
    nobody = orders_of(histories, "", model_run_id=pa.nulls(300, pa.string()))
    assert np.isnan(clv_gains(nobody, fits, OPTIONS)).all()


def test_without_orders_there_is_nothing_to_add():
    histories = shop(300)
    _, fits = predict(customers_of(histories), OPTIONS)
    assert clv_gains(orders_of(histories, "").slice(0, 0), fits, OPTIONS).shape == (0,)
    assert (clv_gains(orders_of(histories, "m"), fits.slice(0, 0), OPTIONS) == 0).all()
