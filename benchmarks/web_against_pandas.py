"""Measure sessions and funnels against a fair pandas version that finds the same.

What is measured, and how, is written down in the README beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Final

import duckdb
import pandas as pd
import yaml
from bench import DBT, PROJECT_ROOT, RESULTS, BenchError, run_command
from web_in_duckdb import INPUTS, SEEDS

CX: Final = DBT.with_name("cx")
EVENTS_PER_CUSTOMER: Final = 150
HERE: Final = Path(__file__).parent
# What is timed is all that leads from what both sides read, staged events, identity of accounts and
# money of orders, to these.
LAST: Final = ("fct_sessions", "agg_funnel_daily")
EXPORTS: Final = {
    "events": "select * exclude (row_bucket) from staging.stg_web__events"
    " where row_bucket = 'staged'",
    "clicks": "select anonymous_id, customer_id, email_hash, occurred_at, email_event_id"
    " from staging.stg_email__email_events"
    " where row_bucket = 'staged' and event_type = 'clicked' and anonymous_id is not null",
    "orders": "select converted.order_id, converted.anonymous_id, converted.customer_id,"
    " converted.email_hash, converted.ordered_at, orders.is_cancelled, orders.net_revenue"
    " from intermediate.int_orders_converted as converted"
    " inner join marts.fct_orders as orders on orders.order_id = converted.order_id",
    "identifiers": "select identifier_kind, identifier, person_id"
    " from intermediate.int_identifiers_resolved",
    "settings": "select * from intermediate.int_settings",
    **{name: f"select * from seeds.{name}" for name in SEEDS},
}
PERSON: Final = {
    "duckdb": "person_id",
    "pandas": "case when starts_with(person_id, 'visitor:')"
    " then left(md5('anonymous_id:' || substr(person_id, 9)), 20) else person_id end",
}
STEP_TIMES: Final = ", ".join(
    ["step_1_at", *(f"step_{n}_at, step_{n}_open_at" for n in range(2, 5))]
)
# Rows of both sides that must be the same, as columns by side's name.
COMPARED: Final = {
    "sessions": (
        "marts.fct_sessions",
        (
            "anonymous_id, {person}, started_at, ended_at, duration_seconds::bigint,"
            " event_count::bigint, page_view_count::bigint, landing_page, exit_page, channel_group,"
            " utm_source, utm_medium, utm_campaign, device_type, country, is_bounce, intent,"
            " is_converted, order_id, order_count::bigint, net_revenue::decimal(18, 2), is_final"
        ),
    ),
    "entries": (
        "marts.fct_funnel_entries",
        (
            f"funnel_name, {{person}}, {STEP_TIMES}, furthest_step::bigint, is_converted,"
            " is_mature, device_type, channel_group"
        ),
    ),
    "funnels": (
        "marts.agg_funnel_daily",
        (
            "funnel_name, entry_date::date, step_number::bigint, device_type, channel_group,"
            " entered::bigint, entered_mature::bigint, reached::bigint, reached_mature::bigint,"
            " reached_open::bigint, round(conversion_rate_naive, 9),"
            " round(conversion_rate_mature, 9), round(rate_of_previous_step, 9),"
            " round(median_hours_from_previous, 9)"
        ),
    ),
}


def build(work: Path, events: int) -> None:
    """Simulate a lake and build it."""
    customers = str(max(1, events // EVENTS_PER_CUSTOMER))
    shop = ["simulate", "--customers", customers, "--days", "365", "--seed", "1"]
    run_command([str(CX), *shop, "--out", str(work / "shop")], work / "simulate.txt", {})
    (work / "warehouse").mkdir()
    environment = {
        "CX_RAW_PATH": str(work / "shop" / "lake"),
        "CX_RAW_FORMAT": "parquet",
        "CX_WAREHOUSE_DIR": str(work / "warehouse"),
    }
    flags = ["--target-path", str(work / "target"), "--log-path", str(work / "logs")]
    for command in ("seed", "run"):
        run_command([str(DBT), command, *flags], work / f"{command}.txt", environment)


def export(database: Path, inputs: Path) -> dict[str, int]:
    """Write what both sides read of a build to Parquet, and its settings; returns rows by file."""
    inputs.mkdir()
    rows = {}
    with duckdb.connect(database, read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        for name, query in EXPORTS.items():
            copied = connection.execute(f"copy ({query}) to '{inputs / name}.parquet'").fetchall()
            rows[name] = int(copied[0][0])
        [(as_of,)] = connection.execute(
            "select as_of::varchar from intermediate.int_settings"
        ).fetchall()
    settings = yaml.safe_load((PROJECT_ROOT / "dbt_project.yml").read_text())["vars"]
    (inputs / "settings.json").write_text(json.dumps(settings | {"as_of": as_of}))
    return rows


def compiled_models(target: Path) -> list[tuple[str, str, str]]:
    """Return relation, kind and compiled file of what is timed, each after those it reads.

    Raises
    ------
    BenchError
        If one reads a seed that is not given.
    """
    nodes = json.loads((target / "manifest.json").read_text())["nodes"]
    given = {relation.rpartition(".")[2] for relation in (*INPUTS, *SEEDS)}
    found: dict[str, tuple[str, str, str]] = {}

    def add(unique_id: str) -> None:
        node = nodes[unique_id]
        if node["name"] in given or unique_id in found:
            return
        if node["resource_type"] != "model":
            message = f"a timed model reads {node['name']}: add it to SEEDS"
            raise BenchError(message)
        for parent in node["depends_on"]["nodes"]:
            add(parent)
        file = target / "compiled" / "cx_warehouse" / node["original_file_path"]
        kind = "view" if node["config"]["materialized"] == "view" else "table"
        found[unique_id] = (f"{node['schema']}.{node['name']}", kind, str(file))

    for name in LAST:
        add(f"model.cx_warehouse.{name}")
    return list(found.values())


def check_equal(database: Path, outputs: Path) -> dict[str, int]:
    """Compare every row of both sides; returns how many there are.

    Raises
    ------
    BenchError
        If a row of one side is not a row of the other.
    """
    rows = {}
    with duckdb.connect(database, read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        for name, (relation, columns) in COMPARED.items():
            ours = f"select {columns.format(person=PERSON['duckdb'])} from {relation}"
            theirs = (
                f"select {columns.format(person=PERSON['pandas'])} from '{outputs / name}.parquet'"
            )
            differing = sum(
                len(connection.execute(f"({a}) except all ({b})").fetchall())
                for a, b in ((ours, theirs), (theirs, ours))
            )
            if differing:
                message = f"{name}: {differing} rows differ between the models and pandas"
                raise BenchError(message)
            rows[name] = int(
                connection.execute(f"select count(*) from {relation}").fetchall()[0][0]
            )
    return rows


def measure(events: int, runs: int, work: Path) -> dict[str, Any]:
    """Build once, then run both sides in turn, each in a process of its own."""
    build(work, events)
    inputs = work / "inputs"
    rows = export(work / "warehouse" / "build.duckdb", inputs)
    (inputs / "models.json").write_text(json.dumps(compiled_models(work / "target")))
    sides: dict[str, list[dict[str, Any]]] = {"duckdb": [], "pandas": []}
    for number in range(runs):
        for side, results in sides.items():
            output, log = work / f"{side}_{number}", work / f"{side}_{number}.txt"
            script = HERE / f"web_in_{side}.py"
            command = run_command([sys.executable, str(script), str(inputs), str(output)], log, {})
            said = json.loads(log.read_text())
            results.append(said | {"peak_gigabytes": command.peak_gigabytes})
        print(
            f"run {number + 1}: models {sides['duckdb'][-1]['seconds']:.2f} s,"
            f" pandas {sides['pandas'][-1]['seconds']:.2f} s",
            flush=True,
        )
    found = check_equal(work / "duckdb_0" / "build.duckdb", work / "pandas_0")
    medians = {
        name: {side: median(r[name] for r in results) for side, results in sides.items()}
        for name in ("seconds", "processor_seconds")
    }
    return {
        "rows_read": rows,
        "rows_found": found,
        "runs": runs,
        **medians,
        "pandas_over_models": medians["seconds"]["pandas"] / medians["seconds"]["duckdb"],
        "peak_gigabytes": {
            side: max(r["peak_gigabytes"] for r in results) for side, results in sides.items()
        },
        "model_seconds": {
            name: median(r["models"][name] for r in sides["duckdb"])
            for name in sides["duckdb"][0]["models"]
        },
        "seconds_each": {side: [r["seconds"] for r in results] for side, results in sides.items()},
        "cpu_count": os.cpu_count(),
        "python": platform.python_version(),
        "duckdb": duckdb.__version__,
        "pandas": pd.__version__,
    }


def format_result(result: dict[str, Any]) -> str:
    """Lay a result out as a text table."""
    rows = [
        ("events read", f"{result['rows_read']['events']:,}", ""),
        *((f"{name} found by both", f"{n:,}", "") for name, n in result["rows_found"].items()),
        ("models", f"{result['seconds']['duckdb']:.2f}", "s"),
        ("pandas", f"{result['seconds']['pandas']:.2f}", "s"),
        ("pandas / models", f"{result['pandas_over_models']:.2f}", ""),
        ("processor time, models", f"{result['processor_seconds']['duckdb']:.2f}", "s"),
        ("processor time, pandas", f"{result['processor_seconds']['pandas']:.2f}", "s"),
        ("peak memory, models", f"{result['peak_gigabytes']['duckdb']:.2f}", "GB"),
        ("peak memory, pandas", f"{result['peak_gigabytes']['pandas']:.2f}", "GB"),
        *((f"  {name}", f"{s:.2f}", "s") for name, s in result["model_seconds"].items()),
    ]
    width = max(len(name) for name, _, _ in rows)
    return "\n".join(f"{name:<{width}} {value:>12} {unit}".rstrip() for name, value, unit in rows)


def main() -> None:
    """Read the command line, measure, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="about so many")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder for the scratch files")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cx_bench_", dir=arguments.work) as work:
        try:
            result = measure(arguments.events, arguments.runs, Path(work))
        except BenchError as error:
            sys.exit(str(error))
    print(format_result(result))
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"web_against_pandas_{arguments.events}.json"
    file.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written: {file.relative_to(PROJECT_ROOT)}")


if __name__ == "__main__":
    main()
