"""Lakes at the edge of the raw contract build, pass all data tests, mean the same in any form."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import (
    UNTESTED,
    BuildLake,
    Warehouse,
    add_to_seed,
    copy_project,
    order,
    write_lake,
    write_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AT = "2024-03-01 12:00:00"

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
    order("o-4", "4", customer_id="12345", ordered_at="2024-03-05 00:00:00", points="7")
    | {"currency": "\tEUR\t"},
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
PRODUCTS = [{"product_id": "501", "product_name": "Lamp", "category": "70"}]
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
    """Write CSV with both kinds of line end; beside it a header alone, and files without one."""
    write_lake(root, LAKE, "csv")
    orders = root / "storefront" / "orders"
    dos = (orders / "part-0.csv").read_bytes()
    header, *rows = dos.decode().splitlines()
    (orders / "part-0.csv").write_bytes("\r\n".join([header, *rows[:5], ""]).encode())
    (orders / "unix.csv").write_bytes("\n".join([header, *rows[5:]]).encode("utf-8-sig"))
    (orders / "header.csv").write_text(header + "\n")
    (orders / "nothing.csv").touch()
    (orders / "break.csv").write_text("\n")
    (orders / "mark.csv").write_bytes(b"\xef\xbb\xbf")
    (root / "storefront" / "refunds").mkdir()
    (root / "storefront" / "refunds" / "nothing.csv").touch()
    return root


def json_files(root: Path) -> Path:
    """Write JSON in which every number is a number."""

    def number(text: Any) -> Any:
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


# file below storefront/orders: what it holds of the view `orders`
TYPED_ORDERS = {
    "year=2024/currency=USD/a.parquet": """
        select * exclude (email, points) replace (
            customer_id::bigint as customer_id, item_total::double as item_total,
            order_total::double as order_total, ordered_at::timestamp as ordered_at
        ) from orders where order_id = 'o-1'""",
    "year=2024/b.parquet": """
        select order_total::decimal(9, 0) as order_total, * exclude (order_total, email) replace (
            customer_id::double as customer_id, item_total::integer as item_total,
            ordered_at::timestamptz as ordered_at
        ) from orders where order_id = 'o-2'""",
    "deep/er/still/c.parquet": """
        select customer_id || '.0' as "Customer_ID", * exclude (customer_id, points) replace (
            item_total::decimal(9, 2) as item_total, order_total::decimal(30, 10) as order_total,
            '2024-03-04T01:59:59.123456+02:00' as ordered_at
        ) from orders where order_id = 'o-3'""",
    "d.parquet": """
        select points::integer as points, * exclude (points) replace (
            ordered_at::date as ordered_at
        ) from orders where order_id = 'o-4'""",
    "w.parquet": """
        select * replace (customer_id::float as customer_id)
        from orders where order_id = 'o-twice'""",
    "x.parquet": """
        select * exclude (customer_id) replace (
            points::double as points, cancelled_at::timestamp_ns as cancelled_at,
            item_total::hugeint as item_total
        ) from orders where order_id in ('o-guest', 'o-nobody')""",
    "y.parquet": """
        select * replace (updated_at || '+00:00' as updated_at)
        from orders where updated_at > '2024-03-02'""",
    "z.parquet": """
        select * exclude (sales_channel) replace (
            updated_at::timestamp_ms as updated_at, order_total::smallint as order_total
        ) from orders where updated_at < '2024-03-02'""",
    "empty.parquet": """
        select * replace (customer_id::bigint as customer_id) from orders where false""",
}
TYPED_ITEMS = {
    "x=1/y=2/i.parquet": """
        select * replace (
            order_item_id::integer as order_item_id, product_id::double as product_id,
            quantity::double as quantity, unit_price::decimal(18, 9) as unit_price
        ) from order_items""",
}
TYPED_PRODUCTS = {
    "p.parquet": "select * replace (category::double as category) from products",
}
TYPED_EVENTS = {
    "a/typed.parquet": """
        select * exclude (items, properties) replace (
            quantity::integer as quantity, load_time_ms::float as load_time_ms,
            anonymous_id::bigint as anonymous_id, occurred_at::timestamptz as occurred_at
        ) from events where event_id not like 'e-odd%'""",
    "text.parquet": "select * from events where event_id like 'e-odd%'",
}


def typed_files(root: Path) -> Path:
    """Write Parquet files of different columns, types and places, no two of them alike."""
    source = text_files(root / "text")
    lake = root / "lake"
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        for table, files in (
            ("storefront/orders", TYPED_ORDERS),
            ("web/events", TYPED_EVENTS),
            ("storefront/products", TYPED_PRODUCTS),
            ("storefront/order_items", TYPED_ITEMS),
        ):
            name = table.split("/")[1]
            con.execute(f"create view {name} as from '{source / table / 'part-0.parquet'}'")
            for path, query in files.items():
                (lake / table / path).parent.mkdir(parents=True, exist_ok=True)
                con.execute(f"copy ({query}) to '{lake / table / path}' (format parquet)")
    return lake


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, build_lake: BuildLake) -> Warehouse:
    return build_lake(text_files(tmp_path_factory.mktemp("lake")))


@pytest.mark.parametrize(
    ("write_files", "raw_format"),
    [(typed_files, "parquet"), (csv_files, "csv"), (json_files, "json")],
    ids=["typed_parquet", "csv", "json"],
)
def test_the_same_rows_give_the_same_marts_however_they_are_written(
    warehouse: Warehouse,
    tmp_path: Path,
    build_lake: BuildLake,
    write_files: Callable[[Path], Path],
    raw_format: str,
) -> None:
    other = build_lake(write_files(tmp_path), raw_format=raw_format, flags=UNTESTED).public_rows()
    for table, rows in warehouse.public_rows().items():
        if table != "quality.dq_builds":
            assert other[table] == rows, table


def test_the_lake_is_not_trivial(warehouse: Warehouse) -> None:
    rows = warehouse.public_rows()
    filled = {"fct_orders", "fct_order_items", "fct_sales_movements", "dim_persons", "fct_cohorts"}
    assert all(rows[f"marts.{table}"] for table in filled)
    assert rows["quality.dq_quarantined_rows"]


def test_one_account_is_one_person_whatever_the_type_of_its_id(warehouse: Warehouse) -> None:
    assert warehouse.query(
        "select customer_ids, order_count from marts.dim_persons order by order_count desc limit 1"
    ) == [(["12345"], 4)]


def test_only_the_newest_good_version_counts(warehouse: Warehouse) -> None:
    orders = warehouse.query("select order_id, original_total::varchar from marts.fct_orders")
    assert dict(orders) == {
        "o-1": "19.99",
        "o-2": "30.00",
        "o-3": "7.50",
        "o-4": "4.00",
        "o-guest": "12.00",
        "o-nobody": "8.00",
        "o-twice": "5.00",
        "o-newer": "6.00",
        "o-worse": "5.00",
    }
    assert warehouse.query("select row_key, reason_code from quality.dq_quarantined_rows") == [
        ("o-worse", "cast_failed"),
        ("6", "order_missing"),
    ]


def test_each_row_is_counted_in_the_bucket_where_it_ended(warehouse: Warehouse) -> None:
    counts = warehouse.query(
        "select table_name, raw_rows, staged_rows, quarantined_rows, duplicate_rows,"
        " after_as_of_rows, no_device_rows, bot_rows from quality.dq_row_counts where raw_rows > 0"
    )
    assert {name: row for name, *row in counts} == {
        "orders": [12, 9, 1, 2, 0, 0, 0],
        "order_items": [6, 5, 1, 0, 0, 0, 0],
        "products": [1, 1, 0, 0, 0, 0, 0],
        "events": [7, 3, 0, 1, 0, 2, 1],
    }


def test_words_are_known_mapped_or_other(warehouse: Warehouse) -> None:
    found = warehouse.query("select order_id, status, sales_channel from marts.fct_orders")
    words = {order_id: row for order_id, *row in found}
    assert words["o-1"] == ["placed", "online"]
    assert words["o-2"] == ["other", "other"]
    assert words["o-4"] == ["placed", "online"]


def test_drift_lists_unknown_and_missing_columns_and_unknown_values(warehouse: Warehouse) -> None:
    found = warehouse.query(
        "select table_name, column_name, drift_value, row_count from quality.dq_schema_drift"
        " where drift_kind <> 'missing_column'"
    )
    shown = ODD | {"items": "no JSON", "properties": "no JSON"}
    odd = {("events", name, value, 2) for name, value in shown.items()}
    assert set(found) == odd | {
        ("orders", "points", None, 2),
        ("orders", "status", "lost", 1),
        ("orders", "sales_channel", "kiosk", 2),
    }
    missing = warehouse.query(
        "select table_name, column_name, row_count from quality.dq_schema_drift"
        " where drift_kind = 'missing_column'"
    )
    assert {table for table, _, _ in missing} == {"orders", "order_items", "products", "events"}
    in_orders = {(column, count) for table, column, count in missing if table == "orders"}
    assert ("store_id", 12) in in_orders
    assert not {column for column, _ in in_orders} & {"email", "updated_at", "customer_id"}


def test_what_is_lenient_reads_as_empty_and_the_row_stays(warehouse: Warehouse) -> None:
    assert (
        warehouse.query(
            f"select {', '.join(ODD)} from staging.stg_web__events where event_id like 'e-odd%'"
        )
        == [(None, None, None, None, None)] * 2
    )
    assert warehouse.query(
        "select event_name, quantity::varchar, received_at::varchar from staging.stg_web__events"
        " where event_id = 'e-1' and row_bucket = 'staged'"
    ) == [("product_view", "2.000000", "2024-03-01 12:00:05")]


def test_anonymous_orders_alone_make_sales_and_no_persons(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    lake = write_lake(
        tmp_path,
        {"storefront/orders": [order(f"o-{n}", anonymous_id="d", country="DE") for n in range(5)]},
    )
    built = build_lake(lake)
    assert built.query("select count(*), count(person_id) from marts.fct_orders") == [(5, 0)]
    assert built.query("select sum(net_revenue)::int from marts.fct_sales_movements") == [(50,)]
    assert built.query("select * from marts.dim_persons") == []
    for mart in ("fct_cohorts", "fct_clv", "fct_clv_models", "fct_clv_backtest"):
        assert built.query(f"select * from marts.{mart}") == []


def test_one_row_of_orders_is_a_lake(tmp_path: Path, build_lake: BuildLake) -> None:
    required = {key: value for key, value in order("1", customer_id=7).items() if key != "status"}
    built = build_lake(write_lake(tmp_path, {"storefront/orders": [required]}))
    rows = built.public_rows()
    empty = {
        *("dim_products", "dim_promotions", "fct_refunds", "fct_deliveries", "fct_order_items"),
        *("fct_ad_spend", "fct_support_tickets", "fct_nps_responses", "agg_nps"),
        *("fct_sessions", "fct_micro_conversions", "fct_searches", "fct_funnel_entries"),
        *("fct_carts", "fct_touchpoints", "fct_channel_removal_effects", "agg_funnel_daily"),
        # the month of its only order is not over
        *("fct_clv_backtest", "fct_micro_conversion_value", "fct_person_months"),
    }
    assert {table for table, found in rows.items() if not found} == {
        *(f"marts.{table}" for table in empty),
        "quality.dq_quarantined_rows",
        "quality.dq_late_arrivals",
    }
    assert built.query("select as_of::varchar from quality.dq_builds") == [(AT,)]
    assert built.query("select count(*) from marts.dim_dates") == [(1,)]
    assert built.query(
        "select count(*), count(touchpoint_id), sum(credit) from marts.fct_attribution"
    ) == [(8, 0, 8)]
    assert built.query("select distinct channel_group from marts.agg_channel_performance") == [
        ("unattributed",)
    ]


# builds a model without the tests that ask others, too
ALONE = ("--indirect-selection", "cautious")
# text: the same in UTC
TIMES = {
    "2024-03-01 12:00:00 +0100": "2024-03-01 11:00:00",
    "2024-03-01 12:00:00.250 -0800": "2024-03-01 20:00:00.25",
    "2024-03-01T12:00+01:00": "2024-03-01 11:00:00",
    "2024-03-01T12:00-0330": "2024-03-01 15:30:00",
    "2024-03-01T12:00Z": "2024-03-01 12:00:00",
    "2024-03-01T12:00:00z": "2024-03-01 12:00:00",
    "2024-03-01 12:00:00 Z": "2024-03-01 12:00:00",
    "2024-03-01 12:00:00 UTC": "2024-03-01 12:00:00",
    "2024-03-01 12:00": "2024-03-01 12:00:00",
    "2024-03-01 12:00:00\t": "2024-03-01 12:00:00",
    "\n2024-03-01\r\n": "2024-03-01 00:00:00",
    "2024-03-01t12:00:00z": "2024-03-01 12:00:00",
    "2024-03-01t12:00:00.5-02:00": "2024-03-01 14:00:00.5",
    "2024-03-01T12:00+01:00[Europe/Berlin]": "2024-03-01 11:00:00",
    "2024-03-01T12:00:00.25Z[UTC]": "2024-03-01 12:00:00.25",
    "2024-03-01 12:00:00.123456789 +0000 UTC": "2024-03-01 12:00:00.123456",
    "2024-03-01 12:00:00 -0300 -03": "2024-03-01 15:00:00",
    "2024-03-01 -1": None,
    "2024-03-01 12:00:00 +0100 or so": None,
    "12:00 +0100": None,
}


def test_times_in_text_are_read_with_their_offset_however_it_is_written(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    texts = list(TIMES)
    orders = [order(str(place), ordered_at=text) for place, text in enumerate(texts)]
    lake = write_lake(tmp_path, {"storefront/orders": orders})
    built = build_lake(lake, select="+stg_storefront__orders", flags=ALONE)
    found = built.query(
        "select coalesce(order_id, row_key), ordered_at::varchar"
        " from staging.stg_storefront__orders"
    )
    assert {texts[int(place)]: time for place, time in found} == TIMES


DATES = {
    "2024-03-01": "2024-03-01",
    "2024-03-02 23:00:00": "2024-03-02",
    # the day as it is written, wherever that was
    "2024-03-03T23:00:00-05:00": "2024-03-03",
    "2024-03-04\t": "2024-03-04",
    "9999-12-31": "9999-12-31",
    "2024-03-05xyz": None,
    "2024-03-05;": None,
    "2024-03-05 1": None,
    # there are dates of these years, and no times
    "999999-12-31": None,
    "infinity": None,
}


def test_a_date_is_a_date_or_has_a_time_after_it(tmp_path: Path, build_lake: BuildLake) -> None:
    texts = list(DATES)
    rates = [
        {"currency": str(place), "rate_date": text, "rate_to_base": 1}
        for place, text in enumerate(texts)
    ]
    lake = write_lake(
        tmp_path, {"storefront/orders": [order("o")], "storefront/exchange_rates": rates}
    )
    folder = lake / "storefront" / "exchange_rates"
    for name, native in (
        ("day", pa.array([date(2024, 3, 6)])),
        ("time", pa.array([datetime(2024, 3, 6, 23)])),  # noqa: DTZ001 - UTC
        ("time in utc", pa.array([datetime(2024, 3, 6, 23, tzinfo=UTC)])),
    ):
        row = pa.table({"currency": [name], "rate_date": native, "rate_to_base": [1.0]})
        pq.write_table(row, folder / f"{name}.parquet")
    built = build_lake(lake, select="+int_exchange_rates", flags=ALONE)
    found = built.query(
        "select coalesce(currency, split_part(row_key, '|', 2)), rate_date::varchar,"
        " quarantine_reason from staging.stg_storefront__exchange_rates"
    )
    days = {name: day for name, day, _ in found}
    assert {name: days.pop(name) for name in ("DAY", "TIME", "TIME IN UTC")} == dict.fromkeys(
        ("DAY", "TIME", "TIME IN UTC"), "2024-03-06"
    )
    assert {texts[int(place)]: day for place, day in days.items()} == DATES
    reasons = {reason for _, day, reason in found if day is None}
    assert reasons == {"cast_failed: rate_date is no date"}


def test_the_earliest_plausible_time_may_have_an_offset(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    times = ["2024-02-29 22:59:59", "2024-02-29 23:00:00"]
    lake = write_lake(
        tmp_path, {"storefront/orders": [order(text, ordered_at=text) for text in times]}
    )
    earliest = {"earliest_plausible_at": "2024-03-01T00:00:00+01:00"}
    built = build_lake(lake, select="+stg_storefront__orders", flags=ALONE, vars=earliest)
    found = built.query(
        "select row_key, quarantine_reason from staging.stg_storefront__orders"
        " where quarantine_reason is not null"
    )
    assert found == [(times[0], "implausible_time: ordered_at is too early or too late to be true")]


def test_rows_that_other_tables_set_aside_show_what_stood_there_and_no_others(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    spend = {"spend_date": "2024-03-01", "channel": "google", "currency": "USD"}
    tables = {
        "storefront/orders": [
            order("o-1"),
            order("o-2", currency="JPY", status="pending", ordered_at="2024-02-29"),
        ],
        "storefront/exchange_rates": [
            {"rate_date": "2024-03-01", "currency": "USD", "rate_to_base": "100"}
        ],
        "storefront/deliveries": [
            {"delivery_id": "d", "order_id": "nowhere", "delivered_at": "2024-03-03 00:00:00"}
            | {"shipped_at": "2024-02-29"}
        ],
        "email/campaigns": [
            {"campaign_id": "k", "campaign_name": "News", "campaign_kind": "Letter"}
            | {"cost": "5", "currency": "JPY"}
        ],
        # one of them is more than money can be
        "marketing/ad_spend": [
            spend | {"spend": "1", "campaign": None},
            spend | {"spend": "99999999999", "campaign": "a"},
            spend | {"spend": "99999999999", "channel": "bing", "campaign": None},
            spend | {"spend": "1", "campaign": "b"},
        ],
    }
    built = build_lake(
        write_lake(tmp_path, tables),
        select="+int_rows_quarantined_across_tables",
        flags=ALONE,
        vars={"base_currency": "EUR", "as_of": "2024-03-02"},
    )
    found = built.query(
        "select row_key, raw_row from intermediate.int_rows_quarantined_across_tables"
    )
    rows = {key: json.loads(raw) for key, raw in found}
    assert set(rows) == {
        "o-2",
        "d",
        "k",
        "2024-03-01|google|a|USD",
        "2024-03-01|bing||USD",
    }
    assert rows["o-2"]["status"] == "pending"
    assert "sales_channel" not in rows["o-2"]
    assert rows["d"]["delivered_at"] == "2024-03-03 00:00:00"
    assert rows["k"]["campaign_kind"] == "Letter"


def test_a_row_set_aside_has_one_id_whether_an_equal_one_is_good_or_not(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    names = [f"o-{number}" for number in range(20)]
    # loaded long before it was ordered, it cannot be true
    bad = [order(name, _loaded_at="2023-01-01 00:00:00") for name in names]
    good = [row | {"_loaded_at": "2024-03-02 00:00:00"} for row in bad]
    found = []
    for name, rows in (("alone", bad), ("beside", [*good, *bad])):
        lake = write_lake(tmp_path / name, {"storefront/orders": rows})
        built = build_lake(lake, select="+stg_storefront__orders", flags=ALONE)
        set_aside = (
            "select row_key, quarantine_id from staging.stg_storefront__orders"
            " where row_bucket = 'quarantined' order by 1"
        )
        found.append(built.query(set_aside))
    assert found[0] == found[1]
    assert [key for key, _ in found[0]] == sorted(names)


def test_a_flag_written_as_a_float_is_a_flag(tmp_path: Path, build_lake: BuildLake) -> None:
    flags = {"1.0": True, "0.0": False, " 1 ": True, "false": False, "2.0": None, "0.5": None}
    orders = [order(f"flag {text}", prices_include_tax=text) for text in flags]
    lake = write_lake(tmp_path, {"storefront/orders": orders})
    built = build_lake(lake, select="+stg_storefront__orders", flags=ALONE)
    found = built.query(
        "select coalesce(order_id, row_key), prices_include_tax"
        " from staging.stg_storefront__orders order by row_bucket"
    )
    assert dict(found) == {f"flag {text}".strip(): value for text, value in flags.items()}


def test_a_url_and_json_lose_what_is_blank_around_them(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    urls = {
        "https://s.example/a?b=1&utm_source=x=y&utm_term#f": "https://s.example/a?utm_source=x=y",
        "https://s.example/b?utm_source=x\n": "https://s.example/b?utm_source=x",
        "https://s.example/c#f\t": "https://s.example/c",
        "\thttps://s.example/d?b=1": "https://s.example/d",
        " https://s.example/e ": "https://s.example/e",
        " \r\n": None,
    }
    properties = {'{"a": 1}\r\n': '{"a": 1}', '\t{"a": 2} ': '{"a": 2}', "{\n": None, " ": None}
    events = [
        EVENTS[0] | {"event_id": str(number), "page_url": url, "referrer_url": url}
        for number, url in enumerate(urls)
    ] + [
        EVENTS[0] | {"event_id": f"p{number}", "properties": text}
        for number, text in enumerate(properties)
    ]
    lake = write_lake(tmp_path, {"storefront/orders": [order("o")], "web/events": events})
    built = build_lake(lake, select="+stg_web__events", flags=ALONE)
    found = built.query(
        "select coalesce(event_id, row_key), page_url, referrer_url, properties"
        " from staging.stg_web__events order by 1"
    )
    assert [row[1:3] for row in found[: len(urls)]] == [(url, url) for url in urls.values()]
    assert [row[3] for row in found[len(urls) :]] == list(properties.values())


def test_a_traffic_rule_may_look_for_a_parameter_that_is_stripped(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    (tmp_path / "project").mkdir()
    project = copy_project(tmp_path / "project")
    # no page is none that a rule looks at
    rules = ["preview_theme_id=", "^/test$", "^$"]
    add_to_seed(project, "traffic_rules", *(f"page_url,{pattern}" for pattern in rules))
    urls = {
        "https://s.example/a?preview_theme_id=1&utm_source=x": "bot",
        "https://s.example/a?utm_source=x": "staged",
        " /test\n": "bot",
        "/test/": "staged",
        " \n": "staged",
    }
    numbered = [(str(number), url) for number, url in enumerate(urls)]
    # versions that differ in what is stripped alone, in both orders: the greatest text is newest
    versions = list(urls)[:2]
    numbered += [("up", url) for url in versions] + [("down", url) for url in versions[::-1]]
    events = [
        EVENTS[0] | {"event_id": event, "page_url": url, "received_at": AT}
        for event, url in numbered
    ]
    tables = {"storefront/orders": [order("o")], "web/events": events}
    lake = write_lake(tmp_path / "lake", tables)
    built = build_lake(lake, project=project, select="+stg_web__events", flags=ALONE)
    found = built.query(
        "select event_id, page_url, row_bucket from staging.stg_web__events"
        " order by event_id, row_bucket"
    )
    assert [bucket for _, _, bucket in found[: len(urls)]] == list(urls.values())
    assert [url for _, url, _ in found[:2]] == ["https://s.example/a?utm_source=x"] * 2
    assert [(event, bucket) for event, _, bucket in found[len(urls) :]] == [
        ("down", "duplicate"),
        ("down", "staged"),
        ("up", "duplicate"),
        ("up", "staged"),
    ]


# table, a row of it, a column and its type, numbers that do not cast there and their text
NUMBERS = [
    (
        "feedback/nps_surveys",
        {"survey_id": "s", "sent_at": AT},
        ("score", pa.float64()),
        {7.5: "7.5", 0.0019955: "0.001995", 1e13: "10000000000000", 1e16: "1e+16"},
    ),
    (
        "feedback/reviews",
        {"review_id": "r", "product_id": "p", "reviewed_at": AT},
        ("rating", pa.decimal128(30, 8)),
        {Decimal("7.5"): "7.5", Decimal("0.0019955"): "0.0019955", Decimal(10**13): f"{10**13}"},
    ),
    (
        "support/tickets",
        {"ticket_id": "t", "created_at": AT},
        ("reopen_count", pa.float32()),
        {7.5: "7.5", float("inf"): "inf"},
    ),
    (
        "web/events",
        {"event_id": "e", "occurred_at": AT, "event_name": "login"},
        ("quantity", pa.float64()),
        {1e13: "10000000000000", float("-inf"): "-inf"},
    ),
]


def test_a_number_that_does_not_cast_has_one_text_whatever_stands_beside_it(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    lake = write_lake(tmp_path, {"storefront/orders": [order("o")]})
    for table, row, (name, kind), numbers in NUMBERS:
        (lake / table).mkdir(parents=True)
        rows = {key: [value] * len(numbers) for key, value in row.items()}
        rows |= {next(iter(row)): [f"{name} {text}" for text in numbers.values()]}
        rows |= {name: pa.array([*numbers], kind)}
        pq.write_table(pa.table(rows), lake / table / "numbers.parquet")
    staged = [f"stg_{table.replace('/', '__')}" for table, *_ in NUMBERS[:3]]
    select = " ".join(f"+{model}" for model in [*staged, "int_values_found"])
    set_aside = " union all ".join(
        f"select row_key, raw_row, quarantine_id from staging.{model}"
        " where row_bucket = 'quarantined' and row_key like '% %'"
        for model in staged
    )
    drift = "select drift_value from intermediate.int_values_found where column_name = 'quantity'"
    found = []
    for kind in (None, pa.string(), pa.int32()):
        for table, row, (name, _), _ in NUMBERS if kind else []:
            file = lake / table / "beside.parquet"
            columns = {key: [value] for key, value in row.items()}
            pq.write_table(pa.table(columns | {name: pa.nulls(1, kind)}), file)
        built = build_lake(lake, select=select, flags=ALONE)
        found.append([built.query(f"{query} order by all") for query in (set_aside, drift)])
    assert found[0] == found[1] == found[2]
    texts = {key: json.loads(raw) for key, raw, _ in found[0][0]}
    for _, _, (name, _), numbers in NUMBERS[:3]:
        found_texts = [texts[f"{name} {text}"][name] for text in numbers.values()]
        assert found_texts == [*numbers.values()]
    assert found[0][1] == [("-inf",), ("10000000000000",)]


def test_native_numbers_that_are_no_money_are_set_aside(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    columns = {
        "order_id": ["good", "infinite", "too-large", "not-a-number"],
        "ordered_at": [datetime(2024, 3, 1, 12, tzinfo=UTC)] * 4,
        "currency": ["EUR"] * 4,
        "item_total": [10.0, float("inf"), 1e15, 10.0],
        "tax_total": [1.0, 1.0, 1.0, float("nan")],
        "prices_include_tax": [True] * 4,
        "order_total": pa.array(
            [Decimal(10), Decimal(10), Decimal(10**15), Decimal(10)], pa.decimal128(30, 2)
        ),
    }
    folder = tmp_path / "lake" / "storefront" / "orders"
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "orders.parquet")
    # a rate makes one too large; one is free with the tax of its price, one but for a cent that the
    # tolerance allows; one is never changed again
    orders = [
        order("converted", "900000000000", currency="USD"),
        order("free", "20", discount_total="20", order_total="0", tax_total="3.19")
        | {"prices_include_tax": "true"},
        order("a-cent", "119", discount_total="119", order_total="0.01", tax_total="19")
        | {"prices_include_tax": "true"},
        order("cancelled", status="cancelled", updated_at="infinity"),
        order("overtaxed", "100", discount_total="99", order_total="1", tax_total="90000000000")
        | {"prices_include_tax": "true"},
        order("dollars", "5", currency="USD"),
    ]
    refunds = [
        {"refund_id": name, "order_id": "dollars", "refunded_at": AT, "amount": amount}
        for name, amount in (("refund", "1"), ("too-much", "-900000000000"))
    ]
    rate = {"rate_date": "2024-03-01", "currency": "USD", "rate_to_base": "2"}
    # a number of an article in place of a quantity
    line = ORDER_ITEMS[0] | {"order_id": "good", "quantity": "990638133393", "unit_cost": "999999"}
    write_lake(
        tmp_path / "lake",
        {
            "storefront/orders": orders,
            "storefront/exchange_rates": [rate],
            "storefront/order_items": [line, line | {"order_item_id": "another"}],
            "storefront/refunds": refunds,
            "marketing/ad_spend": [
                {"spend_date": "2024-03-01", "channel": "google", "campaign": "c"}
                | {"currency": "USD", "spend": "900000000000"}
            ],
        },
    )
    built = build_lake(tmp_path / "lake", vars={"base_currency": "EUR"})
    assert built.query(
        "select order_id, net_sales, cost_quality from marts.fct_orders order by 1"
    ) == [
        ("a-cent", Decimal("0.00"), "unknown"),
        ("cancelled", Decimal("10.00"), "unknown"),
        ("dollars", Decimal("10.00"), "unknown"),
        ("free", Decimal("0.00"), "unknown"),
        ("good", Decimal("9.00"), "unknown"),
        ("not-a-number", Decimal("10.00"), "unknown"),
    ]
    assert built.query("select count(*) from marts.dim_dates") == [(1,)]
    reasons = built.query(
        "select table_name, row_key, reason from quality.dq_quarantined_rows order by all"
    )
    assert [reason[:2] for reason in reasons if "missing_rate" in reason[2]] == [
        ("ad_spend", reasons[0][1]),
        ("orders", "converted"),
        ("orders", "overtaxed"),
        ("refunds", "too-much"),
    ]
    assert [reason for reason in reasons if "missing_rate" not in reason[2]] == [
        ("orders", "infinite", "cast_failed: item_total is no decimal"),
        ("orders", "too-large", "cast_failed: item_total is no decimal"),
    ]
    assert built.query("select refund_id, refund_amount from marts.fct_refunds") == [
        ("refund", Decimal("2.00"))
    ]


def test_a_lake_of_bad_orders_alone_gives_empty_marts(
    tmp_path: Path, build_lake: BuildLake
) -> None:
    lake = write_lake(
        tmp_path,
        {
            "storefront/orders": [order("o-1", "ten", customer_id="c"), order("o-2", "-3")],
            "storefront/order_items": [ORDER_ITEMS[0] | {"order_id": "o-1"}],
            "storefront/refunds": [
                {"refund_id": "r", "order_id": "o-1", "refunded_at": AT, "amount": "1"}
            ],
        },
    )
    built = build_lake(lake)
    facts = {name: rows for name, rows in built.public_rows().items() if ".fct_" in name}
    assert not any(facts.values())
    assert built.query("select * from marts.dim_persons") == []
    assert built.query(
        "select reason_code, count(*) from quality.dq_quarantined_rows group by all order by all"
    ) == [("cast_failed", 1), ("negative", 1), ("order_missing", 2)]


CHAIN = 200
GUEST_ORDERS = 100_000
LOYAL_ORDERS = 10_000


def identity_lake(root: Path) -> Path:
    """Write a chain of accounts, e-mails on 5 and 6 accounts, a busy guest and a busy customer."""
    chain = [
        {"customer_id": f"chain-{n:03}", "email": f"chain{n + step}@x.example", "updated_at": day}
        for n in range(CHAIN)
        for step, day in ((0, "2024-01-01"), (1, "2024-01-02"))
    ]
    hubs = [
        {
            "customer_id": f"hub{size}-{n}",
            "email": f"hub{size}@x.example",
            "updated_at": "2024-01-01",
        }
        for size in (5, 6)
        for n in range(size)
    ]
    customers = [row | {"created_at": "2024-01-01"} for row in chain + hubs]
    orders = [
        *(order(f"hub{size}-guest", email=f"\tHUB{size}@x.example \n") for size in (5, 6)),
        order("chain-first", customer_id="chain-000\r\n"),
        order("chain-last", email=f"chain{CHAIN}@x.example"),
    ]
    write_lake(root, {"storefront/customers": customers, "storefront/orders": orders})
    count = GUEST_ORDERS + LOYAL_ORDERS
    is_guest = [n < GUEST_ORDERS for n in range(count)]
    columns = {
        "order_id": [f"busy-{n}" for n in range(count)],
        "email": ["one@x.example" if guest else None for guest in is_guest],
        "customer_id": [None if guest else "loyal" for guest in is_guest],
        "ordered_at": pa.array([1_704_067_200 + 60 * n for n in range(count)], pa.timestamp("s")),
        # each of them a touch, too
        "sales_channel": ["store"] * count,
        "currency": ["EUR"] * count,
        "item_total": [1.5] * count,
        "order_total": [1.5] * count,
    }
    pq.write_table(pa.table(columns), root / "storefront" / "orders" / "busy.parquet")
    return root


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory, build_lake: BuildLake) -> Warehouse:
    # a step that is quadratic in the orders of one person would take hours
    return build_lake(identity_lake(tmp_path_factory.mktemp("identities")))


def persons_with(warehouse: Warehouse, prefix: str) -> list[int]:
    found = warehouse.query(
        "select len(customer_ids) from marts.dim_persons"
        f" where customer_ids[1] like '{prefix}-%' order by all"
    )
    return [size for (size,) in found]


def test_a_long_chain_of_accounts_and_emails_is_one_person(identities: Warehouse) -> None:
    assert persons_with(identities, "chain") == [CHAIN]
    assert identities.query(
        "select count(distinct person_id), count(*), max(person_order_number)"
        " from marts.fct_orders where order_id like 'chain-%'"
    ) == [(1, 2, 2)]


def test_an_email_on_five_accounts_links_and_on_six_links_nothing(identities: Warehouse) -> None:
    assert persons_with(identities, "hub5") == [5]
    assert persons_with(identities, "hub6") == [1] * 6
    kinds = identities.query(
        "select orders.order_id, persons.person_kind, persons.order_count from marts.fct_orders"
        " as orders inner join marts.dim_persons as persons using (person_id)"
        " where orders.order_id like 'hub%' order by all"
    )
    assert kinds == [("hub5-guest", "customer", 1), ("hub6-guest", "guest", 1)]


def test_orders_of_a_busy_buyer_are_numbered_one_by_one(identities: Warehouse) -> None:
    assert identities.query(
        "select person_kind, order_count, net_revenue::int from marts.dim_persons"
        " where order_count > 100 order by order_count"
    ) == [
        ("customer", LOYAL_ORDERS, LOYAL_ORDERS * 3 // 2),
        ("guest", GUEST_ORDERS, GUEST_ORDERS * 3 // 2),
    ]
    assert (
        identities.query(
            "select person_id, count(distinct person_order_number), max(person_order_number)"
            " from marts.fct_orders group by all having count(*) > 100 and not"
            " (max(person_order_number) = count(distinct person_order_number)"
            " and max(person_order_number) = count(*))"
        )
        == []
    )
