"""Purchase histories for the tests of CLV: CDNOW, and customers who behave as a model says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest


def cdnow_purchases() -> pd.DataFrame:
    """Return customer, day and dollars of the 6,919 orders of the CDNOW sample."""
    # Found, not imported: the import drags in more than the data.
    spec = importlib.util.find_spec("lifetimes")
    if spec is None:
        pytest.skip("package lifetimes is not installed")
    orders = pd.read_csv(
        Path(spec.submodule_search_locations[0]) / "datasets" / "CDNOW_sample.txt",
        sep=r"\s+",
        names=["master", "customer", "day", "cds", "dollars"],
        dtype={"day": str},
    )
    orders["day"] = pd.to_datetime(orders["day"], format="%Y%m%d")
    return orders


def cdnow_orders() -> list[dict[str, Any]]:
    """Return the sample as rows of storefront.orders."""
    return [
        {
            "order_id": f"o-{number}",
            "customer_id": customer,
            "ordered_at": f"{day:%Y-%m-%d} 12:00",
            "currency": "USD",
            "item_total": f"{dollars:.2f}",
            "order_total": f"{dollars:.2f}",
        }
        for number, (customer, day, dollars) in enumerate(
            cdnow_purchases()[["customer", "day", "dollars"]].itertuples(index=False)
        )
    ]


def cdnow() -> pd.DataFrame:
    """Return x, t_x and T in days and mean spend per repeat day of the CDNOW sample, 2,357 rows.

    From its transactions until 1997-09-30, since the summary in `lifetimes` is rounded.
    """
    orders = cdnow_purchases()
    end = pd.Timestamp("1997-09-30")
    days = (
        orders[orders["day"] <= end].groupby(["customer", "day"], as_index=False)["dollars"].sum()
    )
    first = days.groupby("customer")["day"].transform("min")
    repeat = days[days["day"] > first].groupby("customer")["dollars"].mean()
    whole = days.groupby("customer")["day"].agg(["min", "max", "count"])
    return pd.DataFrame(
        {
            "x": whole["count"] - 1.0,
            "t_x": (whole["max"] - whole["min"]).dt.days.astype(float),
            "age": (end - whole["min"]).dt.days.astype(float),
            "mean": repeat.reindex(whole.index).fillna(0.0),
        }
    ).reset_index(drop=True)


def simulate_histories(
    parameters: tuple[float, float, float, float],
    age: np.ndarray,
    model: str,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw x and t_x of customers who are `age` old, purchase by purchase, as the model says."""
    r, alpha, a, b = parameters
    rate = rng.gamma(r, 1 / alpha, len(age))
    leaving = rng.beta(a, b, len(age))
    x, t_x = np.zeros(len(age)), np.zeros(len(age))
    active = np.arange(len(age))
    if model == "mbg_nbd":
        active = active[rng.random(len(active)) > leaving]
    while len(active):
        bought = t_x[active] + rng.exponential(1 / rate[active])
        is_seen = bought <= age[active]
        active, bought = active[is_seen], bought[is_seen]
        x[active] += 1
        t_x[active] = bought
        active = active[rng.random(len(active)) > leaving[active]]
    return x, t_x


def simulate_spend(
    parameters: tuple[float, float, float], x: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw the mean spend of x > 0 repeat days per customer."""
    p, q, v = parameters
    return rng.gamma(p * x) / rng.gamma(q, 1 / v, len(x)) / x
