"""The lake of the benchmarks obeys the raw contract; else the benchmark would time a quarantine."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "generate_orders.py"
ORDERS = 5_000


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("generate_orders", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["generate_orders"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def lake(generator, tmp_path_factory):
    """Several chunks, so that what goes wrong between chunks shows."""
    root = tmp_path_factory.mktemp("benchmark")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generator, "CHUNK_ORDERS", 2_000)
        rows = generator.generate(root, generator.Size(orders=ORDERS, products=200))
    return root, rows


def frame(root, table):
    return pq.read_table(root / "storefront" / table).to_pandas()


def test_rows_are_counted_and_keys_are_unique_across_files(lake):
    root, rows = lake
    keys = {
        "orders": "order_id",
        "order_items": "order_item_id",
        "refunds": "refund_id",
        "customers": "customer_id",
        "products": "product_id",
    }
    for table, key in keys.items():
        found = frame(root, table)
        assert len(found) == rows[table]
        assert found[key].is_unique
    assert len(list((root / "storefront" / "orders").iterdir())) == 3


def test_sizes_are_as_announced(lake):
    _, rows = lake
    assert rows["orders"] == ORDERS
    assert rows["customers"] == ORDERS // 4
    assert rows["order_items"] == pytest.approx(3 * ORDERS, rel=0.05)
    assert rows["refunds"] == pytest.approx(0.05 * ORDERS, rel=0.25)


def test_totals_equal_their_parts_and_their_lines(lake):
    root, _ = lake
    orders = frame(root, "orders").set_index("order_id")
    items = frame(root, "order_items")
    parts = orders["item_total"] - orders["discount_total"] + orders["shipping_total"]
    assert (parts + orders["other_total"] == orders["order_total"]).all()
    lines = (items["quantity"] * items["unit_price"]).groupby(items["order_id"]).sum()
    assert (lines.loc[orders.index] == orders["item_total"]).all()


def test_refunds_name_their_order_its_line_and_a_later_time(lake):
    root, _ = lake
    orders = frame(root, "orders").set_index("order_id")
    items = frame(root, "order_items").set_index("order_item_id")
    refunds = frame(root, "refunds")
    ordered = orders.loc[refunds["order_id"]]
    assert (refunds["refunded_at"].to_numpy() >= ordered["ordered_at"].to_numpy()).all()
    assert (refunds["amount"].to_numpy() <= ordered["order_total"].to_numpy()).all()
    of_line = refunds[refunds["order_item_id"].notna()]
    lines = items.loc[of_line["order_item_id"]]
    assert 0 < len(of_line) < len(refunds)
    assert lines["order_id"].tolist() == of_line["order_id"].tolist()
    assert (lines["quantity"].to_numpy() == of_line["quantity"].to_numpy()).all()


def test_customers_of_orders_exist(lake):
    root, _ = lake
    known = set(frame(root, "customers")["customer_id"])
    customers = frame(root, "orders")["customer_id"]
    assert set(customers.dropna()) <= known
    assert 0 < customers.isna().sum() < ORDERS


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(generator, tmp_path):
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        generator.generate(tmp_path / name, generator.Size(orders=300, products=20, seed=seed))
    for file in sorted((tmp_path / "one").rglob("*.parquet")):
        path = file.relative_to(tmp_path / "one")
        assert file.read_bytes() == (tmp_path / "two" / path).read_bytes()
        assert file.read_bytes() != (tmp_path / "three" / path).read_bytes()


def test_a_lake_of_one_order_can_be_made(generator, tmp_path):
    rows = generator.generate(tmp_path, generator.Size(orders=1, products=1))
    assert (rows["orders"], rows["customers"], rows["products"]) == (1, 1, 1)
