"""The back-test through the warehouse: the second half of CDNOW, `lifetimes` beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from clv_data import cdnow, cdnow_orders, cdnow_purchases
from conftest import BuildLake, Warehouse, write_lake

if TYPE_CHECKING:
    from pathlib import Path

# 39 weeks before and after, as Fader, Hardie and Lee (2005) divide the sample.
CUTOFF, END, HOLDOUT = pd.Timestamp("1997-09-30"), pd.Timestamp("1998-06-30"), 273


def backtest(build_lake: BuildLake, folder: Path, **variables: Any) -> Warehouse:
    """Build the back-test of CDNOW alone."""
    lake = write_lake(folder / "lake", {"storefront/orders": cdnow_orders()})
    warehouse = folder / "warehouse"
    warehouse.mkdir()
    build_lake(lake, command="seed", folder=warehouse, vars=variables)
    flags = ("--select", "+fct_clv_backtest", "+fct_clv")
    return build_lake(lake, command="run", flags=flags, folder=warehouse, vars=variables)


@pytest.fixture(scope="module")
def built(build_lake: BuildLake, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    # 274 days reach back to the day before the first order
    days = [HOLDOUT + 1, HOLDOUT, 90]
    folder = tmp_path_factory.mktemp("cdnow")
    return backtest(build_lake, folder, as_of=f"{END:%Y-%m-%d}", clv_backtest_days=days)


@pytest.fixture(scope="module")
def days() -> pd.DataFrame:
    """Return customer and day of CDNOW's days with orders."""
    return cdnow_purchases()[["customer", "day"]].drop_duplicates()


def test_cutoffs_have_as_long_a_past_as_a_future(built: Warehouse) -> None:
    found = built.query(
        "select distinct cutoff_date::varchar, holdout_days from marts.fct_clv_backtest order by 1"
    )
    assert found == [("1997-09-30", HOLDOUT), ("1998-04-01", 90)]


def test_lifetimes_predicts_the_same_of_the_second_half(built: Warehouse) -> None:
    """Fitted in weeks by another program, which stops a little before the maximum."""
    import lifetimes  # noqa: PLC0415 - slow, and needed here only

    customers = cdnow()
    history = customers["x"], customers["t_x"] / 7, customers["age"] / 7
    fitter = lifetimes.ModifiedBetaGeoFitter().fit(*history)
    expected = fitter.conditional_expected_number_of_purchases_up_to_time(HOLDOUT / 7, *history)
    [(count, orders, basis)] = built.query(
        "select customers, predicted_orders, value_basis from marts.fct_clv_backtest"
        " where holdout_days = 273 and group_name = 'all'"
    )
    assert (count, basis) == (2357, "net_sales")
    assert orders == pytest.approx(expected.sum(), rel=1e-3)


def test_what_came_and_what_had_been_are_counted_in_days(
    built: Warehouse, days: pd.DataFrame
) -> None:
    actual = days["day"].between(CUTOFF, END, inclusive="right").sum()
    naive = (days["day"] <= CUTOFF).sum()
    purchases = cdnow_purchases()
    dollars = purchases.loc[purchases["day"].between(CUTOFF, END, inclusive="right"), "dollars"]
    [(predicted, orders, repeated, value, error, naive_error)] = built.query(
        "select predicted_orders, actual_orders, naive_predicted_orders, actual_value, error_rate,"
        " naive_error_rate"
        " from marts.fct_clv_backtest where holdout_days = 273 and group_name = 'all'"
    )
    assert (orders, repeated) == (actual, naive)
    assert float(value) == pytest.approx(dollars.sum(), abs=0.005)
    assert error == pytest.approx(predicted / actual - 1)
    assert naive_error == pytest.approx(naive / actual - 1)
    assert abs(error) < abs(naive_error)


def test_cohorts_are_those_of_the_first_order(built: Warehouse, days: pd.DataFrame) -> None:
    first = days.groupby("customer")["day"].transform("min")
    months = first.dt.strftime("%Y-%m-01")
    came = days["day"] > CUTOFF
    assert built.query(
        "select group_value, customers, actual_orders from marts.fct_clv_backtest"
        " where holdout_days = 273 and group_name = 'cohort' order by all"
    ) == [
        (month, int(days[months == month]["customer"].nunique()), int(came[months == month].sum()))
        for month in sorted(set(months))
    ]


def test_those_who_are_expected_to_bring_more_do(built: Warehouse) -> None:
    rows = built.query(
        "select group_value::int, customers, predicted_value, actual_value, predicted_orders"
        " from marts.fct_clv_backtest"
        " where holdout_days = 273 and group_name = 'decile' order by 1"
    )
    assert rows[-1][0] == 10
    assert sum(row[1] for row in rows) == 2357
    per_person = np.array([[float(value) / row[1] for value in row[2:4]] for row in rows])
    assert (np.diff(per_person[:, 0]) > 0).all()
    assert per_person[-1, 1] > 3 * per_person[:-1, 1].mean()
    [(whole,)] = built.query(
        "select predicted_orders from marts.fct_clv_backtest"
        " where holdout_days = 273 and group_name = 'all'"
    )
    assert sum(row[4] for row in rows) == pytest.approx(whole, rel=1e-9)


def test_a_cutoff_predicts_what_as_of_that_day_predicts(
    built: Warehouse, build_lake: BuildLake, tmp_path: Path
) -> None:
    """90 days, which fct_clv shows as well; nothing was refunded or cancelled."""
    then = backtest(build_lake, tmp_path, as_of="1998-04-01", clv_backtest_days=[])
    [(expected,)] = then.query("select sum(expected_orders_90d) from marts.fct_clv")
    [(found,)] = built.query(
        "select predicted_orders from marts.fct_clv_backtest"
        " where holdout_days = 90 and group_name = 'all'"
    )
    # another horizon has other nodes of the quadrature
    assert found == pytest.approx(expected, rel=1e-7)
    assert then.query("select count(*) from marts.fct_clv_backtest") == [(0,)]
