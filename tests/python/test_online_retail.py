"""A year of a real shop: from the source's lines to the marts, nothing lost and nothing invented.

The lake of the example, a part of the year, is built everywhere. The source is not part of the
project: `ONLINE_RETAIL_SOURCE` says where it is, and where it is absent, what needs it skips.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import oracle
from conftest import ONLINE_RETAIL, PROJECT, Warehouse, load_script

if TYPE_CHECKING:
    from types import ModuleType

SOURCE = Path(
    os.environ.get("ONLINE_RETAIL_SOURCE")
    or PROJECT.parent / "shared" / "data" / "online_retail_2009_2010.parquet"
)
TABLES = ("orders", "order_items", "refunds", "customers", "products")
LEFT_OUT = ("credit_before_data", "ledger", "test", "stock_entry")


@dataclass(frozen=True)
class Shop:
    """The source, the lake made of it, the script's account and the oracle's reading."""

    source: pd.DataFrame
    root: Path
    lines: dict[str, int]
    mills: dict[str, int]
    lake: oracle.Lake


@dataclass(frozen=True)
class Built:
    """A lake of the shop, the oracle's reading of it, and the warehouse."""

    root: Path
    lake: oracle.Lake
    warehouse: Warehouse


@pytest.fixture(scope="module")
def script() -> ModuleType:
    if not SOURCE.exists():
        pytest.skip(f"{SOURCE} is absent")
    return load_script(PROJECT / "examples" / "online_retail" / "make_lake.py")


@pytest.fixture(scope="module")
def shop(script, tmp_path_factory) -> Shop:
    root = tmp_path_factory.mktemp("online_retail") / "raw"
    account = script.make_lake(SOURCE, root)
    source = pd.read_parquet(SOURCE)
    # Tenths of a penny as integers: the cheapest piece cost 0.001.
    source["mills"] = (source["Price"] * 1000).round().astype("int64") * source["Quantity"]
    return Shop(
        source=source,
        root=root,
        lines={row.line_class: row.lines for row in account},
        mills={row.line_class: int(row.amount * 1000) for row in account},
        lake=oracle.read_lake(root),
    )


@pytest.fixture(scope="module")
def whole_year(build_lake, shop) -> Built:
    return Built(shop.root, shop.lake, build_lake(shop.root))


@pytest.fixture(scope="module", params=["example", "whole year"])
def built(request) -> Built:
    if request.param == "whole year":
        return request.getfixturevalue("whole_year")
    warehouse = request.getfixturevalue("online_retail")
    return Built(ONLINE_RETAIL, oracle.read_lake(ONLINE_RETAIL), warehouse)


def read(root: Path, table: str) -> pa.Table:
    return pq.ParquetFile(root / "storefront" / table / f"{table}.parquet").read()


def lines_of(root: Path, orders: list[str]) -> list[str]:
    items = read(root, "order_items").to_pylist()
    return [row["order_item_id"] for row in items if row["order_id"] in orders]


def mills(amounts) -> int:
    return int(sum(amounts, Decimal(0)) * 1000)


# From the source to the lake.


def test_every_source_line_and_its_money_is_in_the_account(shop):
    assert sum(shop.lines.values()) == len(shop.source) == 525_461
    assert sum(shop.mills.values()) == shop.source["mills"].sum()


def test_classes_hold_the_lines_that_their_names_promise(shop):
    source = shop.source
    code = source["StockCode"].str.upper()
    is_credit_note = source["Invoice"].str.startswith("C")
    is_ledger = code.isin(["ADJUST", "ADJUST2", "AMAZONFEE", "BANK CHARGES", "S"])
    is_test = code.str.startswith("TEST")
    is_credit = (is_credit_note | (code == "D")) & ~is_ledger & ~is_test
    credit_classes = ("credit_matched", "credit_without_customer", "credit_before_data")
    assert shop.lines["ledger"] == is_ledger.sum()
    assert shop.lines["test"] == is_test.sum()
    assert shop.lines["bad_debt"] == (source["Price"] < 0).sum()
    assert sum(shop.lines[name] for name in credit_classes) == is_credit.sum()
    assert sum(shop.mills[name] for name in credit_classes) == source["mills"][is_credit].sum()
    assert shop.lines["credit_without_customer"] == source["Customer ID"][is_credit].isna().sum()
    assert shop.mills["stock_entry"] == 0


def test_orders_hold_what_their_invoices_charge(shop):
    source = shop.source
    code = source["StockCode"].str.upper()
    is_excluded = code.isin(["D", "ADJUST", "ADJUST2", "AMAZONFEE", "BANK CHARGES", "S"])
    is_excluded |= code.str.startswith("TEST") | source["Invoice"].str.startswith("C")
    charged = source[~is_excluded].groupby("Invoice")["mills"].sum()
    orders = read(shop.root, "orders").to_pydict()
    totals = dict(zip(orders["order_id"], orders["order_total"], strict=True))
    assert {name: int(total * 1000) for name, total in totals.items()} == {
        name: total for name, total in charged.items() if total != 0
    }


def test_repeated_lines_are_kept(shop):
    items = read(shop.root, "order_items").to_pandas()
    columns = ["order_id", "product_id", "quantity", "unit_price"]
    assert items.duplicated(columns).sum() > 6_500
    assert items["order_item_id"].is_unique


def test_a_matched_refund_takes_back_an_earlier_sale_of_the_same_customer_and_product(shop):
    refunds = read(shop.root, "refunds").to_pandas()
    refunds = refunds[refunds["reason"].isin(["return", "manual"])]
    items = read(shop.root, "order_items").to_pandas()
    orders = read(shop.root, "orders").to_pandas()[["order_id", "customer_id", "ordered_at"]]
    sold = items.merge(orders, on="order_id").drop(columns="order_id")
    matched = refunds.merge(sold, on="order_item_id", suffixes=("", "_sold"))
    assert len(matched) == len(refunds) > 7_500
    assert (matched["ordered_at"] <= matched["refunded_at"]).all()
    returned = matched.groupby("order_item_id")[["quantity"]].sum()
    returned["sold"] = items.set_index("order_item_id")["quantity"]
    assert (returned["quantity"] <= returned["sold"]).all()

    positions = shop.source.groupby("Invoice").cumcount() + 1
    line_ids = shop.source["Invoice"] + "-" + positions.astype(str)
    source = shop.source.assign(StockCode=shop.source["StockCode"].str.upper())
    source = source.set_index(line_ids)[["StockCode", "Customer ID"]]
    credit_ids = matched["refund_id"].str.split("-").str[:2].str.join("-")
    credits_ = source.loc[credit_ids]
    assert (credits_["StockCode"].to_numpy() == matched["product_id"].to_numpy()).all()
    assert (
        credits_["Customer ID"].astype(int).astype(str).to_numpy() == matched["customer_id"]
    ).all()


def test_the_same_source_gives_the_same_bytes(script, tmp_path):
    for name in ("one", "two"):
        script.make_lake(SOURCE, tmp_path / name, customers=50)
    for table in TABLES:
        file = f"storefront/{table}/{table}.parquet"
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_the_lake_of_the_example_is_what_the_script_writes(script, tmp_path):
    script.make_lake(SOURCE, tmp_path, customers=1_000)
    for table in TABLES:
        expected, found = read(tmp_path, table), read(ONLINE_RETAIL, table)
        assert found.equals(expected), f"{table}: run the script again"


# From the lake to the marts.


def test_orders_and_revenue_equal_the_oracle(built):
    totals = oracle.totals(built.lake)
    [row] = built.warehouse.query(
        """
        select
            count(*),
            count(distinct person_id),
            sum(gross_sales),
            sum(discount_amount),
            sum(refund_amount),
            sum(shipping_amount),
            sum(other_amount),
            sum(net_revenue)
        from marts.fct_orders
        where not is_cancelled
        """,
    )
    assert (*row[:2], *(int(amount * 100) for amount in row[2:])) == (
        totals.order_count,
        totals.person_count,
        totals.gross_sales,
        totals.discount,
        totals.refunds,
        totals.shipping,
        totals.other,
        totals.net_revenue,
    )


def test_every_single_order_equals_the_oracle(built):
    rows = built.warehouse.query("select order_id, net_revenue from marts.fct_orders")
    found = {order_id: int(amount * 100) for order_id, amount in rows}
    assert found == oracle.net_revenue_by_order(built.lake)


def test_orders_share_a_person_exactly_where_the_oracle_says(built):
    expected = oracle.person_keys(built.lake)
    rows = built.warehouse.query("select order_id, person_id from marts.fct_orders")
    pairs = {(expected[order_id], person_id) for order_id, person_id in rows}
    assert len(rows) == len(expected)
    assert (None, None) in pairs
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_cohorts_equal_the_oracle(built):
    assert built.warehouse.query(oracle.MART_SQL) == oracle.cohort_rows(built.lake)


def test_movements_of_an_order_add_up_to_its_revenue(built):
    assert not built.warehouse.query(
        """
        with movements as (
            select order_id, sum(net_revenue) as net_revenue
            from marts.fct_sales_movements
            group by order_id
        )
        select order_id
        from marts.fct_orders
        full join movements using (order_id)
        where fct_orders.net_revenue is distinct from movements.net_revenue
        """,
    )


def test_the_mapping_leaves_bad_debts_and_credits_of_nobody_to_quarantine(shop):
    assert len(shop.lake.refused_orders) == shop.lines["bad_debt"]
    assert len(lines_of(shop.root, shop.lake.refused_orders)) == shop.lines["bad_debt"]
    assert len(shop.lake.refused_refunds) == shop.lines["credit_without_customer"]


def test_quarantine_holds_what_the_mapping_left_to_it_and_nothing_else(built):
    rows = built.warehouse.query(
        "select source_name, table_name, reason_code, row_key from quality.dq_quarantined_rows"
    )
    expected = {
        ("storefront", "orders", "negative"): built.lake.refused_orders,
        ("storefront", "order_items", "negative"): lines_of(built.root, built.lake.refused_orders),
        ("storefront", "refunds", "order_missing"): built.lake.refused_refunds,
    }
    assert built.lake.refused_refunds
    assert sorted(rows) == sorted((*where, key) for where, keys in expected.items() for key in keys)


def test_every_row_of_the_lake_is_in_exactly_one_bucket(built):
    rows = built.warehouse.query(
        """
        select table_name, raw_rows, staged_rows + quarantined_rows, is_balanced
        from quality.dq_row_counts
        where source_name = 'storefront' and raw_rows > 0
        """,
    )
    assert {table: tuple(counts) for table, *counts in rows} == {
        table: (read(built.root, table).num_rows, read(built.root, table).num_rows, True)
        for table in TABLES
    }


def test_money_of_the_source_is_found_again_to_the_tenth_of_a_penny(whole_year, shop):
    """Source = marts + quarantine + left out + rounding, and each of the four is known."""
    [[sold, refunded]] = whole_year.warehouse.query(
        """
        select
            sum(gross_sales - discount_amount + shipping_amount + other_amount),
            (select sum(refund_amount) from marts.fct_refunds)
        from marts.fct_orders
        """,
    )
    quarantined = {
        table: mills(Decimal(amount) for amount in amounts)
        for table, amounts in whole_year.warehouse.query(
            """
            select
                table_name,
                list(coalesce(raw_row ->> '$.order_total', raw_row ->> '$.amount'))
            from quality.dq_quarantined_rows
            where table_name in ('orders', 'refunds')
            group by table_name
            """,
        )
    }
    assert quarantined["orders"] == shop.mills["bad_debt"]
    assert quarantined["refunds"] == -shop.mills["credit_without_customer"]

    refused = set(whole_year.lake.refused_orders)
    rounding = sum(
        int(row[part] * 1000) - oracle.cents(row[part]) * 10
        for row in read(whole_year.root, "orders").to_pylist()
        if row["order_id"] not in refused
        for part in ("item_total", "shipping_total")
    )
    assert rounding == 14
    left_out = sum(shop.mills[name] for name in LEFT_OUT)
    assert (
        mills([sold, -refunded])
        + quarantined["orders"]
        - quarantined["refunds"]
        + left_out
        + rounding
    ) == shop.source["mills"].sum()
