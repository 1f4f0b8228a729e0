"""The queries of analyses/ run on the demo and say what its marts say."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from conftest import DBT, PROJECT, BuildLake, Warehouse

if TYPE_CHECKING:
    import pandas as pd

ANALYSES = sorted(path.stem for path in (PROJECT / "analyses").glob("*.sql"))


@pytest.fixture(scope="module")
def demo(build_lake: BuildLake) -> Warehouse:
    return build_lake(PROJECT / "data" / "demo")


@pytest.fixture(scope="module")
def results(demo: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Compile every analysis against the built demo and run it there."""
    target = tmp_path_factory.mktemp("target")
    subprocess.run(
        [str(DBT), "--quiet", "compile", "--select", "path:analyses", "--target-path", str(target)],
        cwd=PROJECT,
        env=os.environ
        | {
            "CX_RAW_PATH": str(PROJECT / "data" / "demo"),
            "CX_RAW_FORMAT": "parquet",
            "CX_WAREHOUSE_DIR": str(demo.path.parent),
        },
        check=True,
        capture_output=True,
    )
    compiled = target / "compiled" / "cx_warehouse" / "analyses"
    return {name: demo.frame((compiled / f"{name}.sql").read_text()) for name in ANALYSES}


def value(demo: Warehouse, sql: str) -> Any:
    return demo.query(sql)[0][0]


@pytest.mark.parametrize("name", ANALYSES)
def test_every_analysis_finds_something_to_say(name, demo, results):
    if name == "nps_by_month" and not value(demo, "select count(*) from marts.fct_nps_responses"):
        pytest.skip("the demo has no surveys; test_experience.py runs it on a lake that has")
    assert not results[name].empty


def test_reconciliation_leaves_no_money_over(demo, results):
    found = results["reconcile_source_to_marts"]
    assert found["unaccounted_total"].abs().max() == 0
    kept = value(demo, "select sum(original_total) from marts.fct_orders")
    assert found["kept_total"].sum() == pytest.approx(float(kept))
    net_revenue = value(
        demo, "select sum(net_revenue) from marts.fct_orders where not is_cancelled"
    )
    assert found["net_revenue"].sum() == pytest.approx(float(net_revenue))


def test_retention_starts_with_everybody_and_stays_a_share(results):
    found = results["cohort_retention"].set_index("period_number")
    assert found.index.tolist() == list(range(7))
    assert found["retention_rate"].iloc[0] == 1
    assert found["retention_rate"].between(0, 1).all()
    assert (found["customers"] == found["customers"].iloc[0]).all()
    worth = found["cumulative_net_revenue_per_customer"]
    total = float(found["net_revenue"].sum()) / found["customers"].iloc[-1]
    assert worth.iloc[-1] == pytest.approx(total)


def test_rows_that_went_nowhere_have_a_reason(demo, results):
    found = results["where_rows_went"]
    assert found["is_balanced"].all()
    assert found["raw_rows"].sum() == value(demo, "select sum(raw_rows) from quality.dq_row_counts")
    set_aside = found[found["quarantined_rows"] > 0]
    assert set_aside["top_reasons"].notna().all()
    assert found[found["quarantined_rows"] == 0]["top_reasons"].isna().all()
