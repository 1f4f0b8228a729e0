"""How files become raw tables: the same value reads the same in any file and beside any other."""

from __future__ import annotations

import errno
import os
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import order, write_table
from cx_warehouse import lake as lake_module
from cx_warehouse.lake import register_lake
from cx_warehouse.settings import CxError, Settings

if TYPE_CHECKING:
    from pathlib import Path

ORDERS = "storefront/orders"


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    return connection


def register(con: duckdb.DuckDBPyConnection, lake: Path, raw_format: str = "parquet") -> None:
    register_lake(con, Settings(lake, raw_format, lake / "warehouse", "a-secret-key"))


def write_column(lake: Path, name: str, values: pa.Array | list[Any], part: int) -> None:
    rows = len(values)
    columns = {key: [value] * rows for key, value in order("o").items()}
    folder = lake / ORDERS
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns | {name: values}), folder / f"{part}.parquet")


def texts(con: duckdb.DuckDBPyConnection, name: str) -> list[str | None]:
    rows = con.execute(f"select cast({name} as varchar) from raw_storefront.orders").fetchall()
    return sorted((row[0] for row in rows), key=str)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("customer_id", [12345.0, float("nan"), 0.5], ["0.5", "12345", None]),
        ("customer_id", [12345, None], ["12345", None]),
        ("customer_id", [Decimal("12345.00"), Decimal("1.50")], ["1.5", "12345"]),
        ("tax_total", [float("nan"), float("inf"), 1.25], ["1.250000", None, "inf"]),
        ("cancelled_at", [datetime(2024, 3, 1, 12, tzinfo=UTC)], ["2024-03-01 12:00:00"]),
        ("cancelled_at", [date(2024, 3, 1)], ["2024-03-01"]),
        ("prices_include_tax", [True, None], [None, "true"]),
    ],
)
def test_a_value_reads_the_same_beside_a_file_of_text(con, tmp_path, name, values, expected):
    write_column(tmp_path, name, values, 1)
    register(con, tmp_path)
    if name == "customer_id":  # identifiers are text anyway
        assert texts(con, name) == sorted(expected, key=str)
    write_column(tmp_path, name, ["beside"], 2)
    register(con, tmp_path)
    assert texts(con, name) == sorted([*expected, "beside"], key=str)


@pytest.mark.parametrize("raw_format", ["parquet", "csv", "json"])
def test_a_file_is_read_under_its_own_name_whatever_pattern_that_is(con, tmp_path, raw_format):
    folder = tmp_path / "storefront" / "orders"
    folder.mkdir(parents=True)
    for name in ("b[1]", "b1", "b*", "b?", "b"):
        row = pa.table(
            {key: [value] for key, value in (order("o") | {"customer_id": name}).items()}
        )
        con.register("row_of_file", row)
        con.execute(f"copy row_of_file to '{folder / name}.{raw_format}' (format {raw_format})")
    register(con, tmp_path, raw_format)
    assert texts(con, "customer_id") == ["b", "b*", "b1", "b?", "b[1]"]


def test_files_behind_links_to_folders_are_read_once(con, tmp_path):
    lake = tmp_path / "lake"
    write_table(lake, f"{ORDERS}/month=2", [order("o-1")])
    write_table(tmp_path, "elsewhere/deep", [order("o-2")])
    folder = lake / ORDERS
    (folder / "month=1").symlink_to(tmp_path / "elsewhere")
    (folder / "latest").symlink_to("month=2")
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path)
    (tmp_path / "elsewhere" / "itself").symlink_to(".")
    register(con, lake)
    found = con.execute("select path from raw_lake.files order by path").fetchall()
    assert [path for (path,) in found] == [
        f"{ORDERS}/month=1/deep/part-0.parquet",
        f"{ORDERS}/month=2/part-0.parquet",
    ]
    assert texts(con, "order_id") == ["o-1", "o-2"]


def test_a_table_whose_own_folder_is_a_link_is_read(con, tmp_path):
    write_table(tmp_path, "elsewhere", [order("o-1")])
    (tmp_path / "lake" / "storefront").mkdir(parents=True)
    (tmp_path / "lake" / ORDERS).symlink_to(tmp_path / "elsewhere")
    register(con, tmp_path / "lake")
    assert texts(con, "order_id") == ["o-1"]


@pytest.mark.parametrize("closed", [ORDERS, f"{ORDERS}/month=2"])
def test_a_folder_that_does_not_list_is_named(con, tmp_path, monkeypatch, closed):
    write_table(tmp_path, f"{ORDERS}/month=1", [order("o-1")])
    write_table(tmp_path, f"{ORDERS}/month=2", [order("o-2")])
    list_folder = os.scandir

    def refuse(path):
        # permissions do not bind the user root
        if str(path) == str(tmp_path / closed):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", refuse)
    message = f"cannot list the folder {tmp_path / closed} (Permission denied); let this user read"
    with pytest.raises(CxError, match=re.escape(message)):
        register(con, tmp_path)


def test_a_table_behind_a_link_to_nothing_is_named(con, tmp_path):
    write_table(tmp_path, ORDERS, [order("o-1")])
    products = tmp_path / "storefront" / "products"
    products.symlink_to(tmp_path / "not-mounted")
    with pytest.raises(CxError, match=f"cannot list the folder {products} "):
        register(con, tmp_path)


@pytest.mark.parametrize("raw_format", ["parquet", "csv", "json"])
def test_the_case_of_an_ending_does_not_matter(con, tmp_path, raw_format):
    write_table(tmp_path, ORDERS, [order("o-1")], raw_format)
    path = write_table(tmp_path, ORDERS, [order("o-2")], raw_format)
    path.rename(path.with_name(f"Z.{raw_format.upper()}"))
    register(con, tmp_path, raw_format)
    assert texts(con, "order_id") == ["o-1", "o-2"]


def test_what_a_writer_has_not_finished_is_not_read(con, tmp_path):
    write_table(tmp_path, ORDERS, [order("o-1")])
    write_table(tmp_path, f"{ORDERS}/_loaded_at=2024-03-01", [order("o-2")])
    for folder in ("_temporary/0/task_1", ".staging", "_delta_log", "month=1/_temporary"):
        write_table(tmp_path, f"{ORDERS}/{folder}", [order(folder)])
    for name in (".part-1.parquet", "month=1/.part-1.parquet"):
        (tmp_path / ORDERS / name).write_bytes(b"half a file")
    register(con, tmp_path)
    assert texts(con, "order_id") == ["o-1", "o-2"]


def test_a_lake_below_a_hidden_folder_is_read(con, tmp_path):
    lake = tmp_path / ".lake" / "_raw"
    write_table(lake, ORDERS, [order("o-1")])
    register(con, lake)
    assert texts(con, "order_id") == ["o-1"]


def test_a_number_that_is_none_is_empty_in_json(con, tmp_path):
    # as Python writes the missing values of a data frame
    row = order("o", customer_id=float("nan"), tax_total=float("nan"), country="nan")
    path = write_table(tmp_path, ORDERS, [row], "json")
    assert '"customer_id": NaN' in path.read_text()
    register(con, tmp_path, "json")
    query = "select customer_id, tax_total, country from raw_storefront.orders"
    assert con.execute(query).fetchall() == [(None, None, "nan")]


def test_columns_keep_their_type_where_all_files_agree(con, tmp_path):
    write_column(tmp_path, "cancelled_at", pa.array([datetime(2024, 3, 1)], pa.timestamp("ns")), 1)  # noqa: DTZ001
    write_column(tmp_path, "cancelled_at", [datetime(2024, 3, 1, tzinfo=UTC)], 2)
    register(con, tmp_path)
    query = "select distinct typeof(cancelled_at), cancelled_at from raw_storefront.orders"
    assert con.execute(query).fetchall() == [("TIMESTAMP", datetime(2024, 3, 1))]  # noqa: DTZ001


@pytest.mark.parametrize(
    ("values", "expected_type", "expected"),
    [
        (pa.array([Decimal("1.50"), None], pa.decimal128(18, 2)), "DECIMAL(18,2)", ["1.50", None]),
        (pa.array([Decimal("1.50")], pa.decimal128(12, 2)), "DECIMAL(18,6)", ["1.500000"]),
        ([1.5, float("nan"), float("inf")], "DOUBLE", ["1.5", None, "inf"]),
        ([2**62, None], "BIGINT", [str(2**62), None]),
        (pa.array([0.1], pa.float32()), "VARCHAR", ["0.1"]),
    ],
)
def test_numbers_keep_the_type_that_all_files_give_them(
    con, tmp_path, values, expected_type, expected
):
    write_column(tmp_path, "tax_total", values, 1)
    register(con, tmp_path)
    query = "select distinct typeof(tax_total) from raw_storefront.orders"
    assert con.execute(query).fetchall() == [(expected_type,)]
    assert texts(con, "tax_total") == sorted(expected, key=str)


TAX = ("storefront/orders", "tax_total", "decimal(18, 6)")
RESULTS = ("web/events", "search_result_count", "decimal(18, 6)")
LOAD_TIME = ("web/events", "load_time_ms", "double")
NUMBERS = [
    # seven places, the last one a 5, where a double and its text are rounded apart
    (TAX, "double", 0.0019955),
    (TAX, "double", -0.0019955),
    (TAX, "double", 5e-324),
    (TAX, "double", 999999999999.999),
    (TAX, "double", 1e16),
    (TAX, "double", float("nan")),
    (TAX, "double", float("-inf")),
    (TAX, "float", 12.3),
    (RESULTS, "double", 2.0000005),
    (LOAD_TIME, "float", 12.3),
    (LOAD_TIME, "float", float("nan")),
    (LOAD_TIME, "float", float("inf")),
    (LOAD_TIME, "double", 0.1 + 0.2),
    (LOAD_TIME, "double", float("nan")),
    (LOAD_TIME, "decimal(30, 10)", 12.3),
]


@pytest.mark.parametrize(("column", "written_as", "value"), NUMBERS)
def test_a_number_reads_the_same_alone_and_beside_files_of_other_types(
    con, tmp_path, column, written_as, value
):
    table, name, read_as = column
    event = {"event_id": "e", "occurred_at": "2024-03-01", "event_name": "x"}
    row = order("o") if table == "storefront/orders" else event
    columns = ", ".join(f"'{text}' as {key}" for key, text in row.items())
    write_table(tmp_path, ORDERS, [order("other")])
    folder = tmp_path / table
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for beside in ("", "null::bigint", "null::varchar", "null::float"):
        for path, number in (("number", f"'{value}'::{written_as}"), ("beside", beside)):
            if number:
                con.execute(
                    f"copy (select {columns}, {number} as {name})"
                    f" to '{folder / path}.parquet' (format parquet)"
                )
        register(con, tmp_path)
        found += con.execute(
            f"select try_cast({name} as {read_as})::varchar, {name} is null"
            f" from raw_{table.replace('/', '.')} where _file like '%number.parquet'"
        ).fetchall()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_only_the_columns_of_a_query_are_read(con, tmp_path):
    write_column(tmp_path, "customer_id", ["c"], 1)
    register(con, tmp_path)
    query = "explain select order_id from raw_storefront.orders where order_id = 'o'"
    plan = con.execute(query).fetchall()[0][1]
    assert "customer_id" not in plan
    assert "order_id='o'" in plan.replace(" ", "")


def test_nested_values_are_json(con, tmp_path):
    write_table(tmp_path, ORDERS, [order("o")])
    event = {"event_id": "e", "occurred_at": "2024-03-01", "event_name": "x", "items": [{"a": 1}]}
    write_table(tmp_path, "web/events", [event])
    register(con, tmp_path)
    assert con.execute("select items from raw_web.events").fetchone() == ('[{"a":1}]',)


@pytest.mark.parametrize("raw_format", ["parquet", "csv", "json"])
def test_drift_counts_unknown_and_missing_columns(con, tmp_path, raw_format):
    write_table(tmp_path, ORDERS, [order("o-1", colour="red"), order("o-2")], raw_format)
    write_table(tmp_path, ORDERS, [order("o-3", country="AT")], raw_format)
    register(con, tmp_path, raw_format)
    drift = con.execute("select column_name, drift_kind, row_count from raw_lake.schema_drift")
    found = {(name, kind): count for name, kind, count in drift.fetchall()}
    assert found["colour", "unknown_column"] == 1
    assert found["email", "missing_column"] == 3
    assert ("country", "missing_column") not in found
    assert not any(name.startswith("_") for name, _ in found)


@pytest.mark.parametrize("raw_format", ["parquet", "csv", "json"])
def test_columns_named_like_the_place_of_a_row_do_not_stand_in_for_it(con, tmp_path, raw_format):
    own = {"filename": "export.csv", "_file": "export.csv"}
    path = write_table(tmp_path, ORDERS, [order("o", **own)], raw_format)
    register(con, tmp_path, raw_format)
    query = "select distinct _file from raw_storefront.orders"
    assert con.execute(query).fetchall() == [(str(path),)]
    assert con.execute("select location from raw_lake.files").fetchall() == [(str(path),)]
    drift = con.execute(
        "select column_name from raw_lake.schema_drift"
        " where drift_kind = 'unknown_column' and row_count = 1"
    )
    assert sorted(drift.fetchall()) == [("_file",), ("filename",)]


def test_a_csv_column_without_a_name_is_ignored_like_an_unknown_one(con, tmp_path):
    # the index of a data frame before the names, a comma after them
    path = write_table(tmp_path, ORDERS, [order("o-1"), order("o-2")], "csv")
    header, *rows = path.read_text().splitlines()
    lines = [f",{header},", *(f"{number},{row}," for number, row in enumerate(rows))]
    path.write_text("\n".join(lines))
    register(con, tmp_path, "csv")
    assert texts(con, "order_id") == ["o-1", "o-2"]
    drift = con.execute(
        "select column_name, row_count from raw_lake.schema_drift"
        " where drift_kind = 'unknown_column' order by all"
    )
    assert drift.fetchall() == [("unnamed 1", 2), ("unnamed 7", 0)]


@pytest.mark.parametrize("empty", range(3))
def test_a_parquet_file_without_columns_is_empty(con, tmp_path, monkeypatch, empty):
    for part in range(3):
        write_table(tmp_path, ORDERS, [order(f"o-{part}")])
    # as a data frame without rows leaves it
    pq.write_table(pa.table({}), tmp_path / ORDERS / f"part-{empty}.parquet")
    described = []
    parquet_columns = lake_module._parquet_columns  # noqa: SLF001 - counts its calls
    monkeypatch.setattr(
        lake_module,
        "_parquet_columns",
        lambda con, path: described.append(path) or parquet_columns(con, path),
    )
    register(con, tmp_path)
    assert texts(con, "order_id") == [f"o-{part}" for part in range(3) if part != empty]
    # the layout of the others is known all the same
    assert len(described) == 2


def test_texts_that_look_like_rows_are_read_beyond_the_first_chunk_of_a_csv(con, tmp_path):
    text = (",".join("1" * len(order("o", country=""))) + "\n") * 50
    rows = 12_000_000 // len(text)
    path = write_table(tmp_path, ORDERS, [order("o", country=text)] * 2, "csv")
    header, row = path.read_text().split("\n", 1)
    path.write_text(f"{header}\n{row * (rows // 2)}")
    write_table(tmp_path, ORDERS, [order("o", country="AT")], "csv")
    register(con, tmp_path, "csv")
    query = "select country, count(*) from raw_storefront.orders group by all order by all"
    assert con.execute(query).fetchall() == [(text, rows // 2 * 2), ("AT", 1)]


def test_a_file_without_a_required_column_is_named(con, tmp_path):
    row = order("o")
    del row["order_total"]
    path = write_table(tmp_path, ORDERS, [row])
    with pytest.raises(CxError, match=f"{path} lacks the required column order_total"):
        register(con, tmp_path)


@pytest.mark.parametrize("raw_format", ["parquet", "csv", "json"])
@pytest.mark.parametrize("lost", ["listed", "viewed"])
def test_a_file_that_vanishes_while_the_lake_is_read_is_named(
    con, tmp_path, monkeypatch, raw_format, lost
):
    write_table(tmp_path, ORDERS, [order("o-1")], raw_format)
    register(con, tmp_path, raw_format)
    path = write_table(tmp_path, ORDERS, [order("o-2")], raw_format)
    step = {"listed": "_create_views", "viewed": "_register_files"}[lost]
    next_step = getattr(lake_module, step)

    def lose_file(*arguments):
        path.unlink(missing_ok=True)
        next_step(*arguments)

    monkeypatch.setattr(lake_module, step, lose_file)
    with pytest.raises(CxError) as error:
        register(con, tmp_path, raw_format)
    assert str(path) in str(error.value)
    assert str(error.value).endswith("run again when its writer has finished")
    assert "\n" not in str(error.value)
    # what was registered before is still there, and the connection of use
    assert texts(con, "order_id") == ["o-1"]
    assert con.execute("select count(*) from raw_lake.files").fetchone() == (1,)


@pytest.mark.parametrize("lost", ["found", "opened"])
def test_a_file_that_vanishes_while_files_are_listed_is_named(con, tmp_path, monkeypatch, lost):
    path = write_table(tmp_path, ORDERS, [order("o-1")], "csv")
    step = {"found": "_find_files", "opened": "_csv_columns"}[lost]
    next_step = getattr(lake_module, step)

    def lose_file(*arguments):
        found = next_step(*arguments)
        if found:
            path.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(lake_module, step, lose_file)
    with pytest.raises(CxError, match=f"{path}.*; if a file changed or vanished while it was read"):
        register(con, tmp_path, "csv")


def test_a_lake_without_orders_says_where_they_belong(con, tmp_path):
    with pytest.raises(CxError, match=r"no [.]parquet file with orders below .*storefront/orders"):
        register(con, tmp_path)


def test_absent_tables_are_empty_with_their_types(con, tmp_path):
    write_table(tmp_path, ORDERS, [order("o")])
    register(con, tmp_path)
    query = "select typeof(max(created_at)) from raw_support.tickets"
    assert con.execute(query).fetchone() == ("TIMESTAMP",)
    assert con.execute("select count(*) from raw_support.tickets").fetchone() == (0,)


def test_the_fingerprint_is_of_content_not_of_time(con, tmp_path):
    path = write_table(tmp_path, ORDERS, [order("o")])
    register(con, tmp_path)
    query = "select path, content_hash from raw_lake.files"
    before = con.execute(query).fetchall()
    path.touch()
    register(con, tmp_path)
    assert con.execute(query).fetchall() == before
    write_table(tmp_path, ORDERS, [order("o-2")])
    path.write_bytes((tmp_path / ORDERS / "part-1.parquet").read_bytes())
    register(con, tmp_path)
    assert con.execute(query).fetchall()[0] != before[0]
