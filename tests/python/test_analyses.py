"""The queries of analyses/ run on the demo and on a real shop and say what their marts say."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from conftest import DBT, DEMO, ONLINE_RETAIL, PROJECT, Warehouse

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

ANALYSES = sorted(path.stem for path in (PROJECT / "analyses").glob("*.sql"))


@dataclass(frozen=True)
class Analysed:
    """A warehouse and the result of every analysis on it."""

    warehouse: Warehouse
    results: dict[str, pd.DataFrame]


def analyse(warehouse: Warehouse, lake: Path, target: Path) -> Analysed:
    """Compile every analysis against a built lake and run it there."""
    subprocess.run(
        [str(DBT), "--quiet", "compile", "--select", "path:analyses", "--target-path", str(target)],
        cwd=PROJECT,
        env=os.environ
        | {
            "CX_RAW_PATH": str(lake),
            "CX_RAW_FORMAT": "parquet",
            "CX_WAREHOUSE_DIR": str(warehouse.path.parent),
        },
        check=True,
        capture_output=True,
    )
    compiled = target / "compiled" / "cx_warehouse" / "analyses"
    results = {name: warehouse.frame((compiled / f"{name}.sql").read_text()) for name in ANALYSES}
    return Analysed(warehouse, results)


@pytest.fixture(scope="module")
def analysed_demo(demo, tmp_path_factory: pytest.TempPathFactory) -> Analysed:
    return analyse(demo, DEMO, tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="module")
def analysed_orders(online_retail, tmp_path_factory: pytest.TempPathFactory) -> Analysed:
    return analyse(online_retail, ONLINE_RETAIL, tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="module", params=["analysed_demo", "analysed_orders"])
def shop(request) -> Analysed:
    return request.getfixturevalue(request.param)


def value(shop: Analysed, sql: str) -> Any:
    return shop.warehouse.query(sql)[0][0]


@pytest.mark.parametrize("name", ANALYSES)
def test_every_analysis_finds_something_to_say(name, analysed_demo):
    assert not analysed_demo.results[name].empty


def test_reconciliation_leaves_no_money_over(shop):
    found = shop.results["reconcile_source_to_marts"]
    assert found["unaccounted_total"].abs().max() == 0
    kept = value(shop, "select sum(original_total) from marts.fct_orders")
    assert found["kept_total"].sum() == pytest.approx(float(kept))
    net_revenue = value(
        shop, "select sum(net_revenue) from marts.fct_orders where not is_cancelled"
    )
    assert found["net_revenue"].sum() == pytest.approx(float(net_revenue))


def test_retention_starts_with_everybody_and_stays_a_share(shop):
    found = shop.results["cohort_retention"].set_index("period_number")
    assert found.index.tolist() == list(range(7))
    assert found["retention_rate"].iloc[0] == 1
    assert found["retention_rate"].between(0, 1).all()
    assert (found["customers"] == found["customers"].iloc[0]).all()
    worth = found["cumulative_net_revenue_per_customer"]
    total = float(found["net_revenue"].sum()) / found["customers"].iloc[-1]
    assert worth.iloc[-1] == pytest.approx(total)


def test_rows_that_went_nowhere_have_a_reason(shop):
    found = shop.results["where_rows_went"]
    assert found["is_balanced"].all()
    assert found["raw_rows"].sum() == value(shop, "select sum(raw_rows) from quality.dq_row_counts")
    set_aside = found[found["quarantined_rows"] > 0]
    assert set_aside["top_reasons"].notna().all()
    assert found[found["quarantined_rows"] == 0]["top_reasons"].isna().all()
