"""CDNOW: eighteen months of a real shop as a lake of nothing but orders.

Both files ship in the package `lifetimes`: all 23,570 customers who bought first in early 1997, and
the one-tenth sample on which the literature about customer base analysis is calibrated.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import oracle


@dataclass(frozen=True)
class Published:
    """What a file is known to hold; money in cents."""

    file: str
    column_names: list[str]
    header_lines: int
    orders: int
    customers: int
    revenue: int


FILES = {
    "master": Published(
        file="CDNOW_master.txt",
        column_names=["customer", "day", "cds", "dollars"],
        header_lines=1,
        orders=69_659,
        customers=23_570,
        revenue=250_031_563,
    ),
    "sample": Published(
        file="CDNOW_sample.txt",
        column_names=["master", "customer", "day", "cds", "dollars"],
        header_lines=0,
        orders=6_919,
        customers=2_357,
        revenue=24_409_194,
    ),
}


def read_purchases(published: Published) -> pd.DataFrame:
    # Found, not imported: the package is old and its import drags in more than its data.
    spec = importlib.util.find_spec("lifetimes")
    if spec is None:
        pytest.skip("package lifetimes is not installed")
    path = Path(spec.submodule_search_locations[0]) / "datasets" / published.file
    return pd.read_csv(
        path,
        sep=r"\s+",
        header=None,
        names=published.column_names,
        skiprows=published.header_lines,
        dtype=str,
    )


def write_lake(purchases: pd.DataFrame, root: Path) -> None:
    dollars = pa.array(purchases["dollars"]).cast(pa.decimal128(18, 2))
    orders = pa.table(
        {
            "order_id": [f"cdnow-{row}" for row in range(len(purchases))],
            "customer_id": pa.array(purchases["customer"]),
            "ordered_at": pa.array(pd.to_datetime(purchases["day"], utc=True)),
            "currency": ["USD"] * len(purchases),
            "item_total": dollars,
            "order_total": dollars,
        },
    )
    folder = root / "storefront" / "orders"
    folder.mkdir(parents=True)
    pq.write_table(orders, folder / "orders.parquet")


@pytest.fixture(scope="module", params=FILES.values(), ids=FILES.keys())
def published(request) -> Published:
    return request.param


@pytest.fixture(scope="module")
def root(published, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("cdnow") / "raw"
    write_lake(read_purchases(published), root)
    return root


@pytest.fixture(scope="module")
def warehouse(build_lake, root):
    return build_lake(root)


@pytest.fixture(scope="module")
def lake(root) -> oracle.Lake:
    return oracle.read_lake(root)


def test_the_oracle_finds_the_published_totals(lake, published):
    totals = oracle.totals(lake)
    assert totals.order_count == published.orders
    assert totals.person_count == published.customers
    assert totals.net_revenue == published.revenue


def test_everybody_bought_first_in_the_first_quarter(lake):
    frame = oracle.cohorts(lake)
    assert frame["cohort_month"].astype(str).unique().tolist() == [
        "1997-01-01",
        "1997-02-01",
        "1997-03-01",
    ]
    assert frame.groupby("cohort_month")["period_number"].max().tolist() == [17, 16, 15]


def test_orders_customers_and_revenue_equal_the_published_ones(warehouse, published):
    [row] = warehouse.query(
        """
        select count(*), count(distinct person_id), cast(100 * sum(net_revenue) as bigint)
        from marts.fct_orders
        where not is_cancelled
        """,
    )
    assert tuple(row) == (published.orders, published.customers, published.revenue)


def test_orders_of_nothing_are_kept(warehouse, lake):
    [[found]] = warehouse.query("select count(*) from marts.fct_orders where net_revenue = 0")
    assert found == sum(order.revenue == 0 for order in lake.orders) > 0


def test_every_customer_number_is_a_person(warehouse, lake):
    expected = oracle.person_keys(lake)
    rows = warehouse.query("select order_id, person_id from marts.fct_orders")
    pairs = {(expected[order_id], person_id) for order_id, person_id in rows}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_cohorts_equal_the_oracle(warehouse, lake):
    assert warehouse.query(oracle.MART_SQL) == oracle.cohort_rows(lake)


def test_nothing_is_quarantined(warehouse):
    assert not warehouse.query("from quality.dq_quarantined_rows")
