"""Measure CLV, arrays to arrays, and the package lifetimes beside it.

What is measured, and how, is written down in the README beside this file.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cx_warehouse.clv.score import DAYS_PER_MONTH, Customers, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESULTS: Final = Path(__file__).resolve().parent / "results"
# r, alpha, a, b of the MBG/NBD in days, p, q, v of gamma-gamma, days since the shop opened.
COUNTS: Final = (0.55, 40.0, 0.9, 2.5)
SPEND: Final = (6.2, 3.7, 15.0)
OPEN_DAYS: Final = 730
MARGIN_RATE: Final = 0.4
KIBIBYTES_PER_GIGABYTE: Final = 1024**2


def simulate(count: int, seed: int = 1) -> Customers:
    """Draw customers who behave as the models say, in whole days, orders of a day merged."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = COUNTS
    rate, leaving = rng.gamma(r, 1 / alpha, count), rng.beta(a, b, count)
    age = rng.integers(0, OPEN_DAYS, count).astype(np.float64)
    frequency, recency, clock = np.zeros(count), np.zeros(count), np.zeros(count)
    active = np.flatnonzero(rng.random(count) > leaving)
    while len(active):
        clock[active] += rng.exponential(1 / rate[active])
        active = active[clock[active] <= age[active]]
        day = np.minimum(np.ceil(clock[active]), age[active])
        frequency[active] += day > recency[active]
        recency[active] = day
        active = active[rng.random(len(active)) > leaving[active]]
    p, q, v = SPEND
    scale = rng.gamma(q, 1 / v, count)
    days = np.maximum(frequency, 1)
    mean = np.round(rng.gamma(p * days) / scale / days, 2)
    net_sales = np.round((frequency + 1) * mean, 2)
    return Customers(
        frequency=frequency,
        recency_days=recency,
        age_days=age,
        monetary_value=np.where(frequency > 0, mean, 0),
        margin=MARGIN_RATE * net_sales,
        net_sales=net_sales,
        orders=frequency + 1,
    )


def score_with_lifetimes(customers: Customers) -> NDArray[np.float64]:
    """Fit and predict the same with lifetimes: MBG/NBD, gamma-gamma, twelve discounted months."""
    from lifetimes import GammaGammaFitter, ModifiedBetaGeoFitter  # noqa: PLC0415 - slow to load

    warnings.simplefilter("ignore")
    frequency, mean = np.asarray(customers.frequency), np.asarray(customers.monetary_value)
    history = frequency, np.asarray(customers.recency_days), np.asarray(customers.age_days)
    counts = ModifiedBetaGeoFitter()
    counts.fit(*history)
    is_fitted = (frequency > 0) & (mean > 0)
    spend = GammaGammaFitter()
    spend.fit(frequency[is_fitted], mean[is_fitted])
    expected = counts.conditional_expected_number_of_purchases_up_to_time
    counts.conditional_probability_alive(*history)
    expected(90, *history)
    value = np.asarray(spend.conditional_expected_average_profit(frequency, mean))
    before, total = np.zeros(len(frequency)), np.zeros(len(frequency))
    for month in range(1, 13):
        until = np.asarray(expected(month * DAYS_PER_MONTH, *history))
        total += (until - before) / 1.01**month
        before = until
    result: NDArray[np.float64] = total * value * MARGIN_RATE
    return result


def measure(package: str, count: int) -> dict[str, Any]:
    """Run one side once; what is drawn beforehand is not in its seconds, but in its memory."""
    customers = simulate(count)
    started, worked = time.perf_counter(), time.process_time()
    if package == "lifetimes":
        values = score_with_lifetimes(customers)
    else:
        values = score(customers).predicted_clv
    return {
        "package": package,
        "customers": count,
        "seconds": time.perf_counter() - started,
        "processor_seconds": time.process_time() - worked,
        "peak_gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        / KIBIBYTES_PER_GIGABYTE,
        "mean_clv": float(values.mean()),
    }


def measure_apart(package: str, count: int) -> dict[str, Any]:
    """Run `measure` in a fresh process."""
    command = [sys.executable, __file__, "--only", package, "--customers", str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    """Measure each size in turn, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, nargs="+", default=[10_000_000])
    parser.add_argument("--beside", type=int, default=1_000_000, help="customers for lifetimes")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["cx", "lifetimes"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.only, options.customers[0])))
        return
    sides = [("lifetimes", options.beside), ("cx", options.beside)]
    sides += [("cx", count) for count in options.customers]
    runs = [measure_apart(*side) for _ in range(options.runs) for side in sides]
    print(f"{'package':10} {'customers':>10} {'seconds':>8} {'cpu':>7} {'GB':>5} {'mean CLV':>9}")
    medians = {}
    for package, count in sides:
        of_side = [run for run in runs if (run["package"], run["customers"]) == (package, count)]
        seconds = median(run["seconds"] for run in of_side)
        medians[package, count] = seconds
        print(
            f"{package:10} {count:10,} {seconds:8.2f}"
            f" {median(run['processor_seconds'] for run in of_side):7.2f}"
            f" {max(run['peak_gigabytes'] for run in of_side):5.2f} {of_side[0]['mean_clv']:9.4f}"
        )
    ratio = medians["lifetimes", options.beside] / medians["cx", options.beside]
    print(f"lifetimes / cx at {options.beside:,} customers: {ratio:.1f}")
    RESULTS.mkdir(exist_ok=True)
    versions = {name: version(name) for name in ("numpy", "scipy", "lifetimes")}
    report = {"runs": runs, "ratio": ratio, "versions": versions, "machine": platform.platform()}
    (RESULTS / "clv.json").write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
