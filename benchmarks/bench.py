"""Measure a build of the warehouse against the cost of merely copying its raw tables.

What is measured, and how, is written down in the README beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = PROJECT_ROOT / "benchmarks" / "results"
DBT: Final = Path(sys.executable).parent / "dbt"
CX: Final = Path(sys.executable).parent / "cx"
# Customers of a simulated shop; each brings about twenty web events.
SHOPS: Final = {"S": 50_000, "M": 500_000, "L": 5_000_000}
SMALLER: Final = {"M": "S", "L": "M"}
SLOWEST: Final = 10
# Models at a time where it is not the default: two large joins do not fit beside each other.
THREADS: Final = {"L": "1"}
KIBIBYTES_PER_GIGABYTE: Final = 1024**2


class BenchError(Exception):
    """A command of the benchmark failed; its output is the message."""


@dataclass(frozen=True)
class Command:
    """What a finished child process needed.

    Attributes
    ----------
    seconds
        Wall time from start to exit, interpreter and all.
    processor_seconds
        What all its threads and children together computed.
    peak_gigabytes
        Largest resident set that one process of its tree had at any moment.
    """

    seconds: float
    processor_seconds: float
    peak_gigabytes: float


@dataclass(frozen=True)
class Build:
    """One `dbt run` into a new warehouse."""

    run: Command
    model_seconds: dict[str, float]
    warehouse_megabytes: float


def run_command(command: list[str], log: Path, environment: dict[str, str]) -> Command:
    """Run a command at the project's root and measure it.

    Raises
    ------
    BenchError
        If it fails.
    """
    with log.open("w") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=PROJECT_ROOT,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    # wait4 has reaped the child; without this, Popen would look for it again.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        message = f"{' '.join(command)} failed:\n{log.read_text()}"
        raise BenchError(message)
    # Linux counts kibibytes, macOS bytes.
    unit = 1024 if sys.platform == "darwin" else 1
    return Command(
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss / unit / KIBIBYTES_PER_GIGABYTE,
    )


def write_lake(command: list[str], raw_path: Path, log: Path) -> dict[str, int]:
    """Write a lake in a child process and return the rows of each table.

    A child: Linux hands the peak memory of a parent down to what it starts, so this process has to
    stay small for the peaks that it measures to be true.
    """
    run_command([sys.executable, *command], log, {})
    rows: dict[str, int] = {}
    for file in sorted(raw_path.rglob("*.parquet")):
        rows[file.parent.name] = rows.get(file.parent.name, 0) + pq.read_metadata(file).num_rows
    return rows


def write_orders(raw_path: Path, orders: int, seed: int) -> dict[str, int]:
    """Write a lake of orders, lines, refunds, customers and products."""
    raw_path.mkdir(parents=True)
    script = str(Path(__file__).with_name("generate_orders.py"))
    products = min(orders, 10_000)
    options = ["--orders", str(orders), "--products", str(products), "--seed", str(seed)]
    command = [script, "--out", str(raw_path), *options]
    return write_lake(command, raw_path, raw_path.with_suffix(".txt"))


def write_shop(shop: Path, customers: int, seed: int) -> dict[str, int]:
    """Simulate a shop with all its tables; its lake is `shop / "lake"`.

    Without malformed values: they make a column text in one file more, which the floor cannot copy
    along with the others.
    """
    command = [str(CX), "simulate", "--customers", str(customers), "--days", "365"]
    command += ["--events-per-customer", "20", "--dirt", "malformed=0", "--seed", str(seed)]
    command += ["--out", str(shop)]
    return write_lake(command, shop / "lake", shop.with_suffix(".txt"))


def build(raw_path: Path, work: Path, exclude: Sequence[str] = ()) -> Build:
    """Seed a new warehouse, then run the models into it and measure that.

    Parameters
    ----------
    raw_path
        Root of the raw lake.
    work
        Folder of this build alone; receives warehouse, target and logs.
    exclude
        Models to leave out, as dbt selects them.
    """
    work.mkdir(parents=True)
    (work / "warehouse").mkdir()
    run_command([str(DBT), "seed", *flags(work)], work / "seed.txt", environment(raw_path, work))
    return run_models(raw_path, work, exclude)


def environment(raw_path: Path, work: Path) -> dict[str, str]:
    """Return what tells dbt of a lake and a warehouse in a scratch folder."""
    return {
        "CX_RAW_PATH": str(raw_path),
        "CX_RAW_FORMAT": "parquet",
        "CX_WAREHOUSE_DIR": str(work / "warehouse"),
        "CX_THREADS": THREADS.get(raw_path.parent.name, ""),
    }


def flags(work: Path) -> list[str]:
    """Return what keeps dbt's own files in a scratch folder."""
    return ["--target-path", str(work / "target"), "--log-path", str(work / "logs")]


def run_models(raw_path: Path, work: Path, exclude: Sequence[str] = ()) -> Build:
    """Run all models, or those that are not left out, into the warehouse of a scratch folder."""
    command = [str(DBT), "run", *flags(work)]
    if exclude:
        command += ["--exclude", *exclude]
    run = run_command(command, work / "run.txt", environment(raw_path, work))
    results = json.loads((work / "target" / "run_results.json").read_text())["results"]
    model_seconds = {
        result["unique_id"].rpartition(".")[2]: result["execution_time"]
        for result in results
        if result["unique_id"].startswith("model.")
    }
    size = sum(file.stat().st_size for file in (work / "warehouse").rglob("*.duckdb"))
    return Build(run, model_seconds, size / 1e6)


def measure_floor(raw_path: Path, work: Path) -> float:
    """Copy the raw tables once in a fresh process; returns seconds."""
    work.mkdir(parents=True)
    script = Path(__file__).with_name("floor.py")
    log = work / "floor.txt"
    run_command(
        [sys.executable, str(script), str(raw_path), str(work / "floor.duckdb")],
        log,
        {},
    )
    return float(log.read_text())


def summarise(floors: list[float], smalls: list[Build], larges: list[Build]) -> dict[str, Any]:
    """Reduce the runs to medians; single values are kept beside them."""
    floor = median(floors)
    small = median(build.run.seconds for build in smalls)
    large = median(build.run.seconds for build in larges)
    models = {
        name: median(build.model_seconds[name] for build in larges)
        for name in larges[0].model_seconds
    }
    slowest = sorted(models.items(), key=lambda model: model[1], reverse=True)[:SLOWEST]
    return {
        "floor_seconds": floor,
        "run_seconds": large,
        "run_seconds_one_order": small,
        "net_seconds": large - small,
        "net_over_floor": (large - small) / floor,
        "processor_seconds": median(build.run.processor_seconds for build in larges),
        "peak_gigabytes": max(build.run.peak_gigabytes for build in larges),
        "warehouse_megabytes": larges[0].warehouse_megabytes,
        "model_count": len(models),
        "slowest_models": dict(slowest),
        "floor_seconds_each": floors,
        "run_seconds_each": [build.run.seconds for build in larges],
        "run_seconds_one_order_each": [build.run.seconds for build in smalls],
    }


def measure(
    lake: Path, one_order: Path, runs: int, work: Path, exclude: Sequence[str] = ()
) -> dict[str, Any]:
    """Measure each kind of run in turn, so that noise hits all alike.

    Parameters
    ----------
    lake, one_order
        Roots of the lake to build and of a lake of one order.
    runs
        How often to measure.
    work
        Scratch folder; each warehouse is removed when it is measured.
    exclude
        Models to leave out of both.

    Returns
    -------
    dict[str, Any]
        The result as it is written to JSON.
    """
    floors, smalls, larges = [], [], []
    for number in range(runs):
        for kind, results, measure_once in (
            ("floor", floors, lambda folder: measure_floor(lake, folder)),
            ("one_order", smalls, lambda folder: build(one_order, folder, exclude)),
            ("all", larges, lambda folder: build(lake, folder, exclude)),
        ):
            folder = work / f"{kind}_{number}"
            results.append(measure_once(folder))
            shutil.rmtree(folder)
        print(
            f"run {number + 1}: floor {floors[-1]:.2f} s, one order"
            f" {smalls[-1].run.seconds:.2f} s, all {larges[-1].run.seconds:.2f} s",
            flush=True,
        )
    return {
        "runs": runs,
        "cpu_count": os.cpu_count(),
        "python": platform.python_version(),
        "duckdb": duckdb.__version__,
        **summarise(floors, smalls, larges),
    }


def format_result(result: dict[str, Any], floor: str) -> str:
    """Lay a result out as a text table; `floor` says what net is compared with."""
    rows = [(f"rows of {name}", f"{count:,}", "") for name, count in result["rows"].items()]
    rows += [
        ("models", f"{result['model_count']}", ""),
        (floor, f"{result['floor_seconds']:.2f}", "s"),
        ("dbt run", f"{result['run_seconds']:.2f}", "s"),
        ("dbt run, one order", f"{result['run_seconds_one_order']:.2f}", "s"),
        ("net", f"{result['net_seconds']:.2f}", "s"),
        (f"net / {floor}", f"{result['net_over_floor']:.2f}", ""),
        ("dbt run, processor time", f"{result['processor_seconds']:.2f}", "s"),
        ("peak memory", f"{result['peak_gigabytes']:.2f}", "GB"),
        ("warehouse file", f"{result['warehouse_megabytes']:,.0f}", "MB"),
    ]
    rows += [(f"  {name}", f"{s:.2f}", "s") for name, s in result["slowest_models"].items()]
    width = max(len(name) for name, _, _ in rows)
    return "\n".join(f"{name:<{width}} {value:>12} {unit}".rstrip() for name, value, unit in rows)


def write_result(name: str, result: dict[str, Any], floor: str = "floor") -> None:
    """Print a result and write it beside the others."""
    print(format_result(result, floor))
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{name}.json"
    file.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written: {file.relative_to(PROJECT_ROOT)}", flush=True)


def bench_orders(arguments: argparse.Namespace, work: Path) -> None:
    """Measure a lake of orders."""
    rows = write_orders(work / "raw", arguments.orders, arguments.seed)
    write_orders(work / "raw_one_order", 1, arguments.seed)
    result = measure(work / "raw", work / "raw_one_order", arguments.runs, work)
    write_result(f"orders_{arguments.orders}", {"rows": rows, **result})


def bench_shops(arguments: argparse.Namespace, work: Path) -> None:
    """Measure a simulated shop and the next smaller one, and what an event costs more in it."""
    write_orders(work / "raw_one_order", 1, arguments.seed)
    seconds_per_event = []
    sizes = [SMALLER.get(arguments.size), arguments.size]
    for size in filter(None, sizes):
        shop = work / size
        rows = write_shop(shop, SHOPS[size], arguments.seed)
        lakes = shop / "lake", work / "raw_one_order"
        result = measure(*lakes, arguments.runs, work, arguments.exclude)
        shutil.rmtree(shop)
        seconds_per_event.append(result["net_seconds"] / rows["events"])
        write_result(f"shop_{size}", {"rows": rows, "exclude": arguments.exclude, **result})
    if all(sizes):
        growth = seconds_per_event[1] / seconds_per_event[0]
        print(f"net seconds per event at {sizes[1]} / at {sizes[0]}: {growth:.2f}")


def rewritten_rows(work: Path) -> list[tuple[str, int, int, int]]:
    """Return what the last run rewrote: model, rows that went, rows that came, rows there are.

    Raises
    ------
    BenchError
        If it was a full refresh.
    """
    with duckdb.connect(str(work / "warehouse" / "build.duckdb"), read_only=True) as con:
        run, is_full_refresh, reasons = con.execute(
            "select run_number, is_full_refresh, reasons from ops.runs"
            " order by run_number desc limit 1"
        ).fetchall()[0]
        if is_full_refresh:
            message = f"the day's run was a full refresh: {reasons}"
            raise BenchError(message)
        return con.execute(
            "select model_name, deleted_rows, inserted_rows, total_rows from ops.rewrites"
            " where run_number = ? order by inserted_rows + deleted_rows desc, model_name",
            [run],
        ).fetchall()


def bench_day(arguments: argparse.Namespace, work: Path) -> None:
    """Measure one more day on a year of a shop against a full refresh of the year."""
    write_orders(work / "raw_one_order", 1, arguments.seed)
    shop, lake, day = work / arguments.size, work / "lake", work / "day"
    rows = write_shop(shop, SHOPS[arguments.size], arguments.seed)
    script = str(Path(__file__).with_name("split_day.py"))
    new_rows = write_lake([script, str(shop / "lake"), str(lake), str(day)], day, work / "day.txt")
    shutil.rmtree(shop)
    smalls, wholes, days = [], [], []
    for number in range(arguments.runs):
        smalls.append(build(work / "raw_one_order", work / f"one_order_{number}"))
        folder = work / f"year_{number}"
        year = shutil.copytree(lake, work / f"lake_{number}", copy_function=os.link)
        wholes.append(build(year, folder))
        shutil.copytree(day, year, copy_function=os.link, dirs_exist_ok=True)
        days.append(run_models(year, folder))
        rewritten = rewritten_rows(folder)
        shutil.rmtree(folder)
        shutil.rmtree(year)
        print(
            f"run {number + 1}: one order {smalls[-1].run.seconds:.2f} s, year"
            f" {wholes[-1].run.seconds:.2f} s, one more day {days[-1].run.seconds:.2f} s",
            flush=True,
        )
    small = median(build.run.seconds for build in smalls)
    net_whole = median(build.run.seconds for build in wholes) - small
    widths = max(len(name) for name, *_ in rewritten)
    print(f"{'model':<{widths}} {'rows went':>12} {'rows came':>12} {'rows':>12}")
    for name, went, came, total in rewritten:
        print(f"{name:<{widths}} {went:>12,} {came:>12,} {total:>12,}")
    result = summarise([net_whole], smalls, days)
    print(f"rows of the day: {', '.join(f'{name} {count:,}' for name, count in new_rows.items())}")
    write_result(
        f"day_{arguments.size}",
        {"rows": rows, "runs": arguments.runs, **result, "rewritten_rows": rewritten},
        floor="net of a full refresh",
    )


def main() -> None:
    """Read the command line, measure, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    lake = parser.add_mutually_exclusive_group()
    lake.add_argument("--orders", type=int, default=1_000_000, help="a lake of orders alone")
    lake.add_argument("--size", choices=SHOPS, help="a simulated shop, and the next smaller one")
    parser.add_argument("--day", action="store_true", help="of the shop: one more day on a year")
    parser.add_argument(
        "--exclude", nargs="+", default=[], help="of the shop: models to leave out, as dbt selects"
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help="folder for the scratch files")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cx_bench_", dir=arguments.work) as work:
        try:
            if (arguments.day or arguments.exclude) and not arguments.size:
                parser.error("--day and --exclude need --size")
            if arguments.day and arguments.exclude:
                parser.error("a run that leaves models out is not finished: no day can follow it")
            bench = bench_shops if arguments.size else bench_orders
            if arguments.day:
                bench = bench_day
            bench(arguments, Path(work))
        except BenchError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
