"""Lakes at the edge of the raw contract build, pass every data test, and mean the same however they are written."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import BuildLake, Warehouse, order, write_lake, write_table

if TYPE_CHECKING:
    from pathlib import Path

AT = "2024-03-01 12:00:00"
EURO = {"base_currency": "EUR"}

# One lake of many peculiarities, everything text. Files below write the same rows in other ways.
ORDERS = [
    order("o-1", "19.99", customer_id="12345", status="Pending", sales_channel="APP"),
    order(
        "o-2",
        "30",
        customer_id="12345",
        ordered_at="2024-03-02 08:30:00",
        status="lost",
        sales_channel="kiosk",
    ),
    order(
        "o-3",
        "7.50",
        customer_id="12345",
        ordered_at="2024-03-03 23:59:59.123456",
        sales_channel="kiosk",
    ),
    order("o-4", "4", customer_id="12345", ordered_at="2024-03-05 00:00:00", points="7"),
    order("o-guest", "12.00", email="Guest@Shop.example", cancelled_at="2024-03-02 00:00:00"),
    order("o-nobody", "8.00", anonymous_id="device-1", points="9"),
    # an exact repeat; a newer version; a bad newer version, which removes no good one
    order("o-twice", "5.00", customer_id="77"),
    order("o-twice", "5.00", customer_id="77"),
    order("o-newer", "5.00", updated_at="2024-03-01 13:00:00"),
    order("o-newer", "6.00", updated_at="2024-03-02 13:00:00"),
    order("o-worse", "5.00", updated_at="2024-03-01 13:00:00"),
    order("o-worse", "six", updated_at="2024-03-02 13:00:00"),
]
ORDER_ITEMS = [
    {
        "order_item_id": str(number),
        "order_id": order_id,
        "product_id": "501",
        "quantity": quantity,
        "unit_price": price,
        "unit_cost": "1.25",
    }
    for number, order_id, quantity, price in [
        (1, "o-1", "1", "19.99"),
        (2, "o-2", "3", "10"),
        (3, "o-4", "1.5", "2"),
        (4, "o-4", "1", "1"),
        (5, "o-newer", "1", "6"),
        (6, "nowhere", "1", "6"),
    ]
]
PRODUCTS = [{"product_id": "501", "product_name": "Lamp", "category": "Home"}]
ODD = {
    "quantity": "many",
    "load_time_ms": "fast",
    "event_value": "nan",
    "items": "[{",
    "properties": "{",
}
EVENTS = [
    {"event_id": event_id, "occurred_at": AT, "event_name": "view_item", **more}
    for event_id, more in [
        ("e-1", {"anonymous_id": "1001", "quantity": "2", "load_time_ms": "1200.5"}),
        ("e-1", {"anonymous_id": "1001", "quantity": "2", "received_at": "2024-03-01 12:00:05"}),
        ("e-odd", {"anonymous_id": "1001", **ODD}),
        ("e-odd-too", {"anonymous_id": "1001", **ODD}),
        ("e-bot", {"anonymous_id": "1002", "user_agent": "Mozilla (compatible; Googlebot/2.1)"}),
        ("e-no-device", {}),
        ("e-no-device-bot", {"user_agent": "curl/8.0"}),
    ]
]
LAKE = {
    "storefront/orders": ORDERS,
    "storefront/order_items": ORDER_ITEMS,
    "storefront/products": PRODUCTS,
    "web/events": EVENTS,
}


def text_files(root: Path) -> Path:
    return write_lake(root, LAKE)


def csv_files(root: Path) -> Path:
    """Write CSV: beside the rows a file of a header alone, and files without a byte."""
    write_lake(root, LAKE, "csv")
    header = ",".join(ORDERS[0])
    (root / "storefront" / "orders" / "header.csv").write_text(header + "\n")
    (root / "storefront" / "orders" / "nothing.csv").touch()
    (root / "storefront" / "refunds").mkdir()
    (root / "storefront" / "refunds" / "nothing.csv").touch()
    return root


def json_files(root: Path) -> Path:
    """Write JSON in which every number is a number."""

    def number(text: Any) -> Any:  # noqa: ANN401
        try:
            return json.loads(text)
        except (TypeError, ValueError):
            return text

    for table, rows in LAKE.items():
        typed = [
            {name: number(value) for name, value in row.items() if name not in ODD}
            | {name: row[name] for name in ODD if name in row}
            for row in rows
        ]
        write_table(root, table, typed, "json")
    (root / "storefront" / "orders" / "nothing.json").touch()
    return root


# file below storefront/orders, rows of it, columns written in their own way
TYPED_ORDERS = [
    (
        "year=2024/currency=USD/a.parquet",
        "order_id = 'o-1'",
        "customer_id::bigint as customer_id, item_total::double as item_total,"
        " order_total::double as order_total, ordered_at::timestamp as ordered_at",
    ),
    (
        "year=2024/b.parquet",
        "order_id = 'o-2'",
        "customer_id::double as customer_id, item_total::integer as item_total,"
        " order_total::decimal(9, 0) as order_total, ordered_at::timestamptz as ordered_at",
    ),
    (
        "deep/er/still/c.parquet",
        "order_id = 'o-3'",
        "customer_id || '.0' as \"CUSTOMER_ID\", item_total::decimal(9, 2) as item_total,"
        " order_total::decimal(30, 10) as order_total,"
        " '2024-03-04T01:59:59.123456+02:00' as ordered_at",
    ),
    (
        "d.parquet",
        "order_id = 'o-4'",
        "item_total, order_total, customer_id, ordered_at::date as ordered_at,"
        " points::integer as points",
    ),
    ("z.parquet", "updated_at < '2024-03-02'", "updated_at::timestamp as updated_at"),
    ("y.parquet", "updated_at > '2024-03-02'", "updated_at || '+00:00' as updated_at"),
    ("x.parquet", "order_id in ('o-guest', 'o-nobody')", "points::double as points"),
    ("w.parquet", "order_id = 'o-twice'", "customer_id::float as customer_id"),
    ("empty.parquet", "false", "customer_id::bigint as customer_id"),
]


def typed_files(root: Path) -> Path:
    """Write Parquet files of different columns, types and places, none of them like the next."""
    write_lake(root, {table: rows for table, rows in LAKE.items() if not table.endswith("orders")})
    source = write_lake(root / "text", {"orders": ORDERS}) / "orders" / "part-0.parquet"
    folder = root / "storefront" / "orders"
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        for name, rows, columns in TYPED_ORDERS:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            absent = [
                column
                for column in ("customer_id", "updated_at", "points", "status", "sales_channel")
                if column not in columns.lower()
                and not con.execute(
                    f"select count({column}) from '{source}' where {rows}"
                ).fetchone()[0]
            ]
            con.execute(
                f"copy (select {columns}, * exclude (dummy) from"
                f" (select {select_others(columns, absent)}, 1 as dummy from '{source}')"
                f" where {rows}) to '{folder / name}' (format parquet)"
            )
    return root


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, build_lake: BuildLake) -> Warehouse:
    return build_lake(text_files(tmp_path_factory.mktemp("lake")))
