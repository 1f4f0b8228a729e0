"""Whether a lake that arrives in parts gives what it gives at once: `make splits N=...`.

A case draws a small shop, changes it (corrections, moved orders, cancellations, replays, merges of
persons, exclusions, hosts), deals its rows to arrivals, and builds after each: incrementally, with
other runs killed or cut short in between. What stands at last must equal a full refresh of the same
files, row for row, in every mart and every incremental table. dbt runs in forked processes of one
that has parsed the project, which saves a minute a case.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb

# models need these two: imported here, no fork has to
import pandas as pd  # noqa: F401
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.optimize  # noqa: F401
from dbt.cli.main import dbtRunner

from conftest import copy_project
from cx_warehouse.simulate import Config, simulate
from cx_warehouse.simulate.config import DIRT_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

MAIN_TIME: Final = {
    "orders": "ordered_at",
    "customers": "created_at",
    "refunds": "refunded_at",
    "events": "occurred_at",
    "email_events": "occurred_at",
    "exposures": "exposed_at",
    "tickets": "created_at",
    "nps_surveys": "sent_at",
    "reviews": "reviewed_at",
    "referrals": "invited_at",
    "order_items": "_loaded_at",
    "deliveries": "_loaded_at",
    "products": "_loaded_at",
    "promotions": "starts_at",
    "exchange_rates": "_loaded_at",
}
# What says which build it was, and not what came of it.
PARTS: Final = (
    (),
    (),
    ("--select", "stg_web__events"),
    ("--select", "int_sessions_summarised+"),
    ("--select", "int_device_owners+"),
    ("--select", "int_identifiers_resolved", "int_order_sessions"),
    ("--select", "int_orders_converted", "int_order_items_valued"),
    ("--select", "config.materialized:incremental"),
    ("--select", "int_cart_moments+"),
    ("--select", "int_carts_told", "int_funnel_entries", "fct_carts"),
    ("--exclude", "int_settings", "int_identity_components"),
    ("--exclude", "int_orders_costed+"),
    ("--exclude", "stg_email__email_events"),
)
STARTED: Final = re.compile(r"(\d+) of (\d+) START")
NOT_COMPARED: Final = {"quality.dq_builds"}
EXCLUSIONS: Final = "identifier_kind,identifier,linked_kind,linked_identifier"
TOLERANCE: Final = 1e-9
Row = dict[str, Any]
Names = dict[str, list[Any]]


class SplitError(Exception):
    """An incremental build that is not what a full refresh gives, or did not do what it should."""


def dbt_said(warehouse: Path) -> str:
    """Return the end of what the last dbt command printed."""
    return (warehouse / "dbt.txt").read_text()[-5000:]


@dataclass
class Workshop:
    """A copy of the project, parsed once, whose dbt commands run in forked children."""

    root: Path
    manifest: Any = field(init=False)

    def __post_init__(self) -> None:
        """Copy and parse the project."""
        (self.root / "project").mkdir()
        self.project = copy_project(self.root / "project")
        os.environ["CX_WAREHOUSE_DIR"] = str(self.root / "parsed")
        os.environ["CX_RAW_PATH"] = str(self.root)
        result = dbtRunner().invoke([*self.arguments("parse", self.root / "parsed"), "--quiet"])
        if result.exception:
            raise result.exception
        self.manifest = result.result
        self.seeded = self.root / "seeded"
        write_orders = self.root / "orders" / "storefront" / "orders"
        write_orders.mkdir(parents=True)
        columns = ("order_id", "ordered_at", "currency", "item_total", "order_total")
        pq.write_table(pa.table({name: ["1"] for name in columns}), write_orders / "1.parquet")
        self.run(["seed"], self.root / "orders", self.seeded)

    def prepare(self, warehouse: Path) -> None:
        """Give a warehouse its seeds: those of the project, and nobody excluded."""
        warehouse.mkdir(parents=True)
        for file in self.seeded.glob("build.duckdb*"):
            shutil.copy(file, warehouse)

    def seed_exclusions(self, lake: Path, warehouse: Path) -> None:
        """Load the exclusions as they are now."""
        self.run(["seed", "--select", "identity_exclusions"], lake, warehouse)

    def arguments(self, command: str, folder: Path) -> list[str]:
        """Return a dbt command line that writes to a folder of its own."""
        paths = [
            "--project-dir",
            str(self.project),
            "--profiles-dir",
            str(self.project),
        ]
        paths += ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
        return [command, *paths, "--no-write-json", "--log-level-file", "none"]

    def start(self, command: list[str], lake: Path, warehouse: Path) -> int:
        """Fork a dbt command on a lake; returns the process id."""
        warehouse.mkdir(parents=True, exist_ok=True)
        output = os.open(warehouse / "dbt.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        process = os.fork()
        if process:
            os.close(output)
            return process
        os.environ |= {"CX_WAREHOUSE_DIR": str(warehouse), "CX_RAW_PATH": str(lake)}
        os.dup2(output, 1)
        os.dup2(output, 2)
        status = 1
        try:
            arguments = self.arguments(command[0], warehouse) + command[1:]
            status = 0 if dbtRunner(manifest=self.manifest).invoke(arguments).success else 1
        finally:
            os._exit(status)

    def run(self, command: list[str], lake: Path, warehouse: Path) -> None:
        """Run a dbt command to its end; raises where it fails."""
        _, status = os.waitpid(self.start(command, lake, warehouse), 0)
        if status:
            message = f"dbt {' '.join(command)} failed:\n{dbt_said(warehouse)}"
            raise SplitError(message)

    def kill(
        self, command: list[str], lake: Path, warehouse: Path, progress: float, seconds: float
    ) -> None:
        """Kill a dbt command some seconds after a share of its models has begun."""
        process = self.start(command, lake, warehouse)
        begun = 0.0
        while begun < progress:
            time.sleep(0.005)
            counts = STARTED.findall((warehouse / "dbt.txt").read_text())
            begun = max((int(number) / int(total) for number, total in counts), default=0.0)
            if os.waitpid(process, os.WNOHANG)[0]:
                message = f"a run ended before it was killed:\n{dbt_said(warehouse)}"
                raise SplitError(message)
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


@dataclass
class Lake:
    """Rows of a simulated shop by raw table and schema, each with the arrival it comes in."""

    parts: list[tuple[str, pa.Schema, list[tuple[int, Row]]]]
    arrivals: int
    currencies: tuple[str, ...]
    notes: list[str] = field(default_factory=list)

    def native_rows(self, table: str) -> list[tuple[int, Row]]:
        """Return the rows of a table's file that carries proper types, to read and to add to."""
        for name, schema, rows in self.parts:
            if (
                name == table
                and rows
                and pa.types.is_timestamp(schema.field(MAIN_TIME[table.split("/")[1]]).type)
            ):
                return rows
        return []

    def values(self, table: str, name: str) -> list[Any]:
        """Return the values of a column of a table."""
        return sorted({row[name] for _, row in self.native_rows(table) if row[name] is not None})

    def write(self, root: Path, arrival: int) -> int:
        """Write the files of an arrival; returns their number."""
        written = 0
        for number, (table, schema, rows) in enumerate(self.parts):
            own = [row for when, row in rows if when == arrival]
            if own:
                folder = root / table
                folder.mkdir(parents=True, exist_ok=True)
                path = folder / f"{arrival}-{number}.parquet"
                pq.write_table(pa.Table.from_pylist(own, schema=schema), path)
                written += 1
        return written


def draw_lake(random_: random.Random, folder: Path, arrivals: int) -> Lake:
    """Simulate a small shop and deal its rows to arrivals: most by time, a tenth anyhow."""
    currencies = ("EUR", "USD", "GBP")[: random_.choice([1, 1, 2, 3])]
    config = Config(
        random_.choice([1, 8, 25, 40]),
        random_.choice([10, 45, 120]),
        random_.randrange(10_000),
        events_per_customer=random_.choice([20, 60]),
        dirt=dict.fromkeys(DIRT_KINDS, random_.choice([0.0, 0.01, 0.05])),
        currencies=currencies,
    )
    shop = simulate(config, folder)
    unnamed_carts = random_.choice([0.0, 0.2, 1.0])
    parts = []
    for path in sorted(shop.lake.rglob("*.parquet")):
        table = pq.read_table(path)
        rows = table.to_pylist()
        time_column = MAIN_TIME.get(path.parent.name)
        order = sorted(range(len(rows)), key=lambda at: str(rows[at].get(time_column)))
        dealt = []
        for place, at in enumerate(order):
            is_anyhow = random_.random() < 0.1
            arrival = random_.randrange(arrivals) if is_anyhow else place * arrivals // len(order)
            dealt.append((arrival, rows[at]))
        if path.parent.name == "orders" and dealt:
            dealt[0] = (0, dealt[0][1])
        if path.parent.name == "exchange_rates" and random_.random() < 0.3:
            dealt = [(arrivals - 1, row) for _, row in dealt]
        if path.parent.name == "promotions":
            dealt = [(random_.randrange(arrivals), row) for _, row in dealt]
        # what a line costs is then told by its product
        if path.parent.name == "order_items":
            dealt = [
                (when, row | {"unit_cost": None} if random_.random() < 0.4 else row)
                for when, row in dealt
            ]
        if path.parent.name in ("events", "orders"):
            dealt = [
                (when, row | {"cart_id": None} if random_.random() < unnamed_carts else row)
                for when, row in dealt
            ]
        name = f"{path.parent.parent.name}/{path.parent.name}"
        parts.append((name, table.schema, dealt))
    note = f"{config.customers} customers, {config.days} days, dirt {config.dirt['late']}"
    return Lake(parts, arrivals, currencies, [f"{note}, {', '.join(currencies)}"])


def changed_event(random_: random.Random, row: Row, names: Names) -> Row:
    """Return a newer version of an event."""
    host = random_.choice(["www.google.com", "other-shop.example", "shop.example"])
    changes: list[Row] = [
        {"occurred_at": row["occurred_at"] + timedelta(minutes=random_.randint(-90, 90))},
        {"anonymous_id": random_.choice([*names["devices"], None, "new device"])},
        {"event_name": random_.choice(["page_view", "add_to_cart", "purchase", "login"])},
        {"customer_id": random_.choice([*names["people"], "somebody"])},
        {"customer_id": None},
        {"page_url": f"https://{host}/landing?utm_source={random_.choice('abc')}"},
        {"product_id": "another"},
        {"event_name": "remove_from_cart", "cart_id": random_.choice(names["carts"])},
        {"event_name": "add_to_cart", "cart_id": random_.choice(names["carts"])},
        {"event_value": random_.choice([None, 7]), "currency": random_.choice(names["currencies"])},
        {"device_type": random_.choice(["mobile", "tablet", "tv"])},
        {"order_id": random_.choice([*names["orders"], None])},
    ]
    received_at = (row["received_at"] or row["occurred_at"]) + timedelta(days=1)
    return row | {"received_at": received_at} | random_.choice(changes)


def changed_order(random_: random.Random, row: Row, names: Names) -> Row:
    """Return a newer version of an order."""
    at = row["ordered_at"]
    changes: list[Row] = [
        {"status": "cancelled", "cancelled_at": at + timedelta(hours=5)},
        {"anonymous_id": random_.choice([*names["devices"], None])},
        {"customer_id": random_.choice([*names["people"], "somebody"])},
        {"customer_id": None, "email": f"guest{random_.randint(1, 2)}@mail.example"},
        {"ordered_at": at + timedelta(minutes=random_.randint(-60, 60))},
        {"ordered_at": at + timedelta(days=random_.randint(-9, 9))},
        {"currency": random_.choice(names["currencies"])},
        {"promotion_code": random_.choice([*names["codes"], "unheard of", None])},
        {"cart_id": random_.choice(names["carts"])},
        {"prices_include_tax": not row["prices_include_tax"]},
        # set aside: its parts do not add up
        {"order_total": 987_654},
    ]
    return row | {"updated_at": at + timedelta(days=2)} | random_.choice(changes)


def changed_line(random_: random.Random, row: Row, names: Names) -> Row:
    """Return a newer version of an order's line."""
    changes: list[Row] = [
        {"order_id": random_.choice([*names["orders"], "unheard of"])},
        {"product_id": random_.choice([*names["products"], "unheard of"])},
        {"quantity": random_.choice([0, 1, 5])},
        {"unit_cost": random_.choice([None, 1])},
        {"quantity": None},
    ]
    return row | random_.choice(changes)


def changed_refund(random_: random.Random, row: Row, names: Names) -> Row:
    """Return a newer version of a refund."""
    changes: list[Row] = [
        {"order_id": random_.choice([*names["orders"], "unheard of"])},
        {"order_item_id": random_.choice([*names["lines"], None])},
        {"amount": random_.choice([1, (row["amount"] or 1) * 2])},
        {"is_restocked": not row["is_restocked"]},
        {"refunded_at": row["refunded_at"] + timedelta(days=random_.randint(-3, 3))},
        {"amount": None},
    ]
    return row | random_.choice(changes)


def changed_delivery(random_: random.Random, row: Row, names: Names) -> Row:
    """Return a newer version of a delivery."""
    updated_at = (row["updated_at"] or row["_loaded_at"]) + timedelta(days=1)
    changes: list[Row] = [
        {"order_id": random_.choice([*names["orders"], "unheard of"])},
        {"delivered_at": None},
        {"promised_at": row["_loaded_at"] + timedelta(days=random_.randint(-5, 9))},
    ]
    return row | {"updated_at": updated_at} | random_.choice(changes)


def changed_product(random_: random.Random, row: Row, names: Names) -> Row:
    """Return a newer version of a product."""
    changes: list[Row] = [
        {"unit_cost": random_.choice([None, 1, 2])},
        {"category": random_.choice([*names["categories"], None])},
        {"list_price": random_.choice([None, 3])},
        {"product_name": "Renamed"},
        {"list_price": -1},
    ]
    updated_at = (row["updated_at"] or row["_loaded_at"]) + timedelta(days=1)
    return row | {"updated_at": updated_at} | random_.choice(changes)


def changed_promotion(random_: random.Random, row: Row, names: Names) -> Row:
    """Return a newer version of a promotion, or one more under its code."""
    changes: list[Row] = [
        {"starts_at": row["starts_at"] + timedelta(days=random_.randint(1, 9))},
        {"promotion_kind": random_.choice(["loyalty", "voucher"])},
        {"promotion_code": random_.choice([*names["codes"], None])},
        {"promotion_id": f"{row['promotion_id']} once more"},
    ]
    return row | random_.choice(changes)


def changed_rate(random_: random.Random, row: Row, names: Names) -> Row:
    """Return a newer version of a rate, of its day, another day, or another currency."""
    changes: list[Row] = [
        {"rate_to_base": random_.choice([0.5, 1.25, 2.0])},
        {"rate_date": row["rate_date"] + timedelta(days=random_.randint(-9, 9))},
        {"currency": random_.choice(names["currencies"])},
        {"rate_to_base": -1.0},
    ]
    return row | random_.choice(changes)


# How many rows of a table come again, and how they are changed.
CHANGES: Final = {
    "web/events": (12, changed_event),
    "storefront/orders": (10, changed_order),
    "storefront/order_items": (8, changed_line),
    "storefront/refunds": (4, changed_refund),
    "storefront/deliveries": (4, changed_delivery),
    "storefront/products": (8, changed_product),
    "storefront/promotions": (2, changed_promotion),
    "storefront/exchange_rates": (5, changed_rate),
}


def change_lake(random_: random.Random, lake: Lake) -> None:
    """Plant what late data does to rows that were there already."""
    last = lake.arrivals - 1
    orders = lake.native_rows("storefront/orders")
    tickets = lake.native_rows("support/tickets")
    names = {
        "devices": lake.values("web/events", "anonymous_id"),
        "people": lake.values("web/events", "customer_id"),
        "orders": lake.values("storefront/orders", "order_id"),
        "currencies": lake.values("storefront/orders", "currency"),
        "lines": lake.values("storefront/order_items", "order_item_id"),
        "products": lake.values("storefront/order_items", "product_id"),
        "categories": lake.values("storefront/products", "category"),
        "codes": lake.values("storefront/promotions", "promotion_code"),
        "carts": [*lake.values("web/events", "cart_id"), None],
    }
    for at, (arrival, row) in enumerate(orders):
        if names["codes"] and random_.random() < 0.4:
            orders[at] = (arrival, row | {"promotion_code": random_.choice(names["codes"])})
    # another look at some devices: their sessions change, and nothing else of their orders
    events = lake.native_rows("web/events")
    devices = lake.values("storefront/orders", "anonymous_id")
    looked_at = set(random_.sample(devices, min(len(devices), 3)))
    for arrival, row in [pair for pair in events if pair[1]["anonymous_id"] in looked_at]:
        version = {"received_at": row["occurred_at"] + timedelta(days=2), "device_type": "tv"}
        events.append((random_.randint(min(arrival + 1, last), last), row | version))
    sold = set(names["products"])
    for table, (count, change) in CHANGES.items():
        rows = lake.native_rows(table)
        time_column = MAIN_TIME[table.split("/")[1]]
        wanted = [pair for pair in rows if pair[1][time_column] and pair[1]["_loaded_at"]]
        if table == "storefront/products":
            wanted = [pair for pair in wanted if pair[1]["product_id"] in sold]
        for arrival, row in random_.sample(wanted, min(len(wanted), count)):
            version = change(random_, row, names) if random_.random() < 0.85 else row
            if version is not row:
                loaded_at = row["_loaded_at"] + timedelta(days=random_.randint(1, 5))
                version |= {"_loaded_at": loaded_at}
            rows.append((random_.randint(min(arrival + 1, last), last), version))
    mails = sorted({row["email"] for _, row in orders if row["email"]})
    people = names["people"]
    # two accounts with one e-mail are one person
    if tickets and mails and people:
        for number in range(random_.randint(0, 3)):
            merge = {"customer_id": random_.choice(people), "email": random_.choice(mails)}
            arrival, row = random_.choice(tickets)
            when = random_.randint(min(arrival + 1, last), last)
            tickets.append((when, row | merge | {"ticket_id": f"merge {number}"}))


def load_again(random_: random.Random, lake: Lake) -> None:
    """Plant rows of a known content loaded at another time, which sets some of them aside."""
    for _, _, rows in lake.parts:
        for _, row in random_.sample(rows, min(len(rows), 3)):
            if isinstance(row.get("_loaded_at"), datetime):
                loaded_at = row["_loaded_at"] + timedelta(days=random_.choice([-40, 2]))
                arrival = random_.randrange(lake.arrivals)
                rows.append((arrival, row | {"_loaded_at": loaded_at}))


def write_exclusions(random_: random.Random, workshop: Workshop, warehouse: Path) -> None:
    """Withdraw some identifiers or links of what is built, or none."""
    lines = [EXCLUSIONS]
    build = warehouse / "build.duckdb"
    if random_.random() < 0.7:
        with duckdb.connect(str(build), read_only=True) as con:
            links = con.execute(
                "select identifier_kind, identifier, linked_kind, linked_identifier"
                " from marts.dim_identity_links order by link_id"
            ).fetchall()
        chosen = {}
        for link in random_.sample(links, min(len(links), random_.randint(1, 3))):
            row = link if link[2] and random_.random() < 0.6 else (*link[:2], None, None)
            chosen[row] = ",".join(part or "" for part in row)
        lines += chosen.values()
    (workshop.project / "seeds" / "identity_exclusions.csv").write_text("\n".join(lines) + "\n")


def rows_of(con: duckdb.DuckDBPyConnection, side: str, table: str) -> list[tuple[Any, ...]]:
    """Return the rows of a table in an order that the last bits of doubles do not change."""
    names = con.execute(
        "select column_name from duckdb_columns() where database_name = ?"
        " and schema_name || '.' || table_name = ?"
        " order by data_type in ('DOUBLE', 'FLOAT'), column_index",
        [side, table],
    ).fetchall()
    keys = ", ".join(f'"{name}"' for (name,) in names)
    return con.execute(f"select * from {side}.{table} order by {keys}").fetchall()


def is_same(left: Any, right: Any) -> bool:
    """Whether two values are one: doubles to 1e-9 of them, everything else exactly."""
    if isinstance(left, float) and isinstance(right, float):
        return left == right or abs(left - right) <= TOLERANCE * max(abs(left), abs(right))
    return bool(left == right)


def difference(con: duckdb.DuckDBPyConnection, table: str) -> str:
    """Return what differs between the two builds of a table; empty where nothing does."""
    left, right = f"incremental.{table}", f"whole.{table}"
    differing = con.execute(
        f"select count(*) from ((from {left} except all from {right})"
        f" union all (from {right} except all from {left}))"
    ).fetchone()
    if differing == (0,):
        return ""
    rows, expected = rows_of(con, "incremental", table), rows_of(con, "whole", table)
    if len(rows) == len(expected) and all(
        is_same(*pair)
        for both in zip(rows, expected, strict=True)
        for pair in zip(*both, strict=True)
    ):
        return ""
    samples = []
    for one, other in ((left, right), (right, left)):
        found = con.execute(f"(from {one} except all from {other}) order by all limit 3").fetchall()
        samples += [f"    only {one.split('.')[0]}: {row}" for row in found]
    return "\n".join([f"  {table}: {len(rows)} rows, a full refresh {len(expected)}", *samples])


def compare(incremental: Path, whole: Path, tables: Iterable[str]) -> None:
    """Compare two builds table by table.

    Raises
    ------
    SplitError
        If one differs.
    """
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.execute(f"attach '{incremental / 'build.duckdb'}' as incremental (read_only)")
        con.execute(f"attach '{whole / 'build.duckdb'}' as whole (read_only)")
        found = [text for table in tables if (text := difference(con, table))]
    if found:
        raise SplitError("\n".join(found))


def compared_tables(workshop: Workshop) -> list[str]:
    """Return the marts, the tables of quality, and every incremental table."""
    tables = []
    for node in workshop.manifest.nodes.values():
        is_public = node.schema in ("marts", "quality")
        if node.resource_type == "model" and (
            is_public or node.config.materialized == "incremental"
        ):
            tables.append(f"{node.schema}.{node.name}")
    return sorted(set(tables) - NOT_COMPARED, key=lambda name: (name.startswith("marts"), name))


def check_run(warehouse: Path, may_be_full: str) -> str:
    """Check that the last run finished and was incremental; returns what each model rewrote."""
    with duckdb.connect(str(warehouse / "build.duckdb"), read_only=True) as con:
        run = con.execute(
            "select run_number, finished_at is not null, is_full_refresh, reasons"
            " from ops.runs order by run_number desc limit 1"
        ).fetchone()
        rewrites = con.execute(
            "select model_name, inserted_rows, deleted_rows, total_rows from ops.rewrites"
            " where run_number = ? and inserted_rows + deleted_rows > 0 order by model_name",
            [run[0]],
        ).fetchall()
    if not run[1]:
        message = "the run did not finish"
        raise SplitError(message)
    if run[2] and not (may_be_full and may_be_full in run[3]):
        message = f"a full refresh that nothing caused: {run[3]}"
        raise SplitError(message)
    return ", ".join(f"{name} +{came} -{gone} of {all_}" for name, came, gone, all_ in rewrites)


@dataclass
class Case:
    """One lake in several arrivals, built after each, and at once at last."""

    workshop: Workshop
    seed: int
    kills: int

    def __post_init__(self) -> None:
        """Draw everything from the seed."""
        self.random = random.Random(self.seed)
        self.folder = self.workshop.root / f"case-{self.seed}"
        self.warehouse, self.whole = self.folder / "warehouse", self.folder / "whole"
        self.root = self.folder / "lake"
        self.arrivals = self.random.choice([2, 2, 3, 4])
        self.lake = draw_lake(self.random, self.folder / "shop", self.arrivals)
        change_lake(self.random, self.lake)
        load_again(self.random, self.lake)
        orders = self.lake.native_rows("storefront/orders")
        days = sorted(str(row["ordered_at"])[:10] for _, row in orders) or ["2024-02-01"]
        self.moments: list[str | None] = [None] * self.arrivals
        if self.random.random() < 0.4:
            self.moments = [*sorted(self.random.choices(days, k=self.arrivals))]
            if self.random.random() < 0.5:
                self.moments[-1] = None
        self.empty = self.random.randrange(1, self.arrivals) if self.random.random() < 0.2 else 0
        self.has_exclusions = self.random.random() < 0.4
        is_unset = len(self.lake.currencies) == 1 and self.random.random() < 0.5
        self.base_currency = None if is_unset else "EUR"
        self.killed = 0

    def command(self, arrival: int, *more: str) -> list[str]:
        """Return the dbt command of an arrival."""
        variables = {"as_of": self.moments[arrival], "base_currency": self.base_currency}
        return [*more, "--vars", json.dumps(variables)]

    def disturb(self, arrival: int) -> None:
        """Kill runs at random moments, and run a part of the project."""
        command = self.command(arrival, "run")
        for _ in range(self.kills):
            when = self.random.uniform(0, 0.95), self.random.uniform(0, 0.03)
            self.workshop.kill(command, self.root, self.warehouse, *when)
            self.killed += 1
        if self.random.random() < 0.2:
            part = self.random.choice(PARTS)
            self.workshop.run(self.command(arrival, "run", *part), self.root, self.warehouse)

    def arrive(self, arrival: int) -> str:
        """Write the files of an arrival and build; returns what each model rewrote."""
        if not (arrival and arrival == self.empty):
            self.lake.write(self.root, arrival)
        expected = "" if arrival else "first build"
        if arrival and self.random.random() < 0.08:
            os.utime(self.random.choice(sorted(self.root.rglob("*.parquet"))), (1, 1))
            expected = "changed"
        if self.has_exclusions and arrival:
            write_exclusions(self.random, self.workshop, self.warehouse)
            self.workshop.seed_exclusions(self.root, self.warehouse)
        if arrival and not expected:
            self.disturb(arrival)
        self.workshop.run(self.command(arrival, "run"), self.root, self.warehouse)
        return check_run(self.warehouse, expected)

    def run(self, *, is_verbose: bool) -> str:
        """Build in arrivals and at once, and compare.

        Parameters
        ----------
        is_verbose
            Whether to print what each model rewrote.

        Returns
        -------
        str
            What the case was.

        Raises
        ------
        SplitError
            If the two builds differ, or a run fell back to a full refresh.
        """
        self.workshop.prepare(self.warehouse)
        for arrival in range(self.arrivals):
            rewritten = self.arrive(arrival)
            if is_verbose:
                print(f"  arrival {arrival}: {rewritten}", flush=True)
        self.workshop.prepare(self.whole)
        if self.has_exclusions:
            self.workshop.seed_exclusions(self.root, self.whole)
        self.workshop.run(self.command(self.arrivals - 1, "run"), self.root, self.whole)
        compare(self.warehouse, self.whole, compared_tables(self.workshop))
        shutil.rmtree(self.folder)
        what = [f"as_of {' then '.join(map(str, self.moments))}", *self.lake.notes]
        what += [f"arrival {self.empty} empty"] * bool(self.empty)
        what += ["exclusions"] * self.has_exclusions + [f"{self.killed} killed"] * bool(self.killed)
        return "; ".join(what)


def main() -> None:
    """Read the command line and run cases; the exit code says whether all were equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the first case")
    parser.add_argument(
        "--kills", type=int, default=0, help="runs killed before each arrival's own"
    )
    parser.add_argument("--verbose", action="store_true", help="print what each model rewrote")
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="cx_splits_") as root:
        workshop = Workshop(Path(root))
        for seed in range(arguments.seed, arguments.seed + arguments.cases):
            started = time.perf_counter()
            try:
                what = Case(workshop, seed, arguments.kills).run(is_verbose=arguments.verbose)
            except SplitError as error:
                failed += 1
                print(f"seed {seed}: NOT EQUAL\n{error}", flush=True)
            else:
                print(
                    f"seed {seed}: equal in {time.perf_counter() - started:.0f} s; {what}",
                    flush=True,
                )
    print(f"{arguments.cases - failed} of {arguments.cases} cases equal a full refresh")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
