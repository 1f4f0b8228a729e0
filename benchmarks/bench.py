"""Measure a build of the warehouse against the cost of merely copying its raw tables.

What is measured, and how, is written down in the README beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import duckdb
import pyarrow.parquet as pq
from generate_orders import Size

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = PROJECT_ROOT / "benchmarks" / "results"
DBT: Final = Path(sys.executable).parent / "dbt"
SLOWEST: Final = 10
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
    peak_gigabytes
        Largest resident set that one process of its tree had at any moment.
    """

    seconds: float
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
    return Command(seconds, usage.ru_maxrss / unit / KIBIBYTES_PER_GIGABYTE)


def generate_lake(raw_path: Path, size: Size) -> dict[str, int]:
    """Write a lake in a child process and return the rows of each table.

    A child: Linux hands the peak memory of a parent down to what it starts, so this process has to
    stay small for the peaks that it measures to be true.
    """
    raw_path.mkdir(parents=True)
    options = {"--out": raw_path, "--orders": size.orders, "--products": size.products}
    options |= {"--refund-rate": size.refund_rate, "--seed": size.seed}
    script = Path(__file__).with_name("generate_orders.py")
    words = [str(word) for option in options.items() for word in option]
    run_command([sys.executable, str(script), *words], raw_path.with_suffix(".txt"), {})
    rows: dict[str, int] = {}
    for file in sorted(raw_path.rglob("*.parquet")):
        rows[file.parent.name] = rows.get(file.parent.name, 0) + pq.read_metadata(file).num_rows
    return rows


def build(raw_path: Path, work: Path) -> Build:
    """Seed a new warehouse, then run all models into it and measure that.

    Parameters
    ----------
    raw_path
        Root of the raw lake.
    work
        Folder of this build alone; receives warehouse, target and logs.
    """
    work.mkdir(parents=True)
    target = work / "target"
    environment = {
        "CX_RAW_PATH": str(raw_path),
        "CX_RAW_FORMAT": "parquet",
        "CX_WAREHOUSE_DIR": str(work / "warehouse"),
    }
    (work / "warehouse").mkdir()
    flags = ["--target-path", str(target), "--log-path", str(work / "logs")]
    run_command([str(DBT), "seed", *flags], work / "seed.txt", environment)
    run = run_command([str(DBT), "run", *flags], work / "run.txt", environment)
    results = json.loads((target / "run_results.json").read_text())["results"]
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
        "peak_gigabytes": max(build.run.peak_gigabytes for build in larges),
        "warehouse_megabytes": larges[0].warehouse_megabytes,
        "model_count": len(models),
        "slowest_models": dict(slowest),
        "floor_seconds_each": floors,
        "run_seconds_each": [build.run.seconds for build in larges],
        "run_seconds_one_order_each": [build.run.seconds for build in smalls],
    }


def measure(size: Size, runs: int, work: Path) -> dict[str, Any]:
    """Generate the lakes and measure each kind of run in turn, so that noise hits all alike.

    Parameters
    ----------
    size
        The lake to build.
    runs
        How often to measure.
    work
        Scratch folder.

    Returns
    -------
    dict[str, Any]
        The result as it is written to JSON.
    """
    rows = generate_lake(work / "raw", size)
    generate_lake(work / "raw_one_order", Size(orders=1, products=1, seed=size.seed))
    floors, smalls, larges = [], [], []
    for number in range(runs):
        floors.append(measure_floor(work / "raw", work / f"floor_{number}"))
        smalls.append(build(work / "raw_one_order", work / f"small_{number}"))
        larges.append(build(work / "raw", work / f"large_{number}"))
        print(
            f"run {number + 1}: floor {floors[-1]:.2f} s, one order"
            f" {smalls[-1].run.seconds:.2f} s, all {larges[-1].run.seconds:.2f} s",
            flush=True,
        )
    return {
        "size": asdict(size),
        "rows": rows,
        "runs": runs,
        "cpu_count": os.cpu_count(),
        "python": platform.python_version(),
        "duckdb": duckdb.__version__,
        **summarise(floors, smalls, larges),
    }


def format_result(result: dict[str, Any]) -> str:
    """Lay a result out as a text table."""
    rows = [(f"rows of {name}", f"{count:,}", "") for name, count in result["rows"].items()]
    rows += [
        ("models", f"{result['model_count']}", ""),
        ("floor: raw tables copied once", f"{result['floor_seconds']:.2f}", "s"),
        ("dbt run", f"{result['run_seconds']:.2f}", "s"),
        ("dbt run, one order", f"{result['run_seconds_one_order']:.2f}", "s"),
        ("net", f"{result['net_seconds']:.2f}", "s"),
        ("net / floor", f"{result['net_over_floor']:.2f}", ""),
        ("peak memory", f"{result['peak_gigabytes']:.2f}", "GB"),
        ("warehouse file", f"{result['warehouse_megabytes']:,.0f}", "MB"),
    ]
    rows += [(f"  {name}", f"{s:.2f}", "s") for name, s in result["slowest_models"].items()]
    width = max(len(name) for name, _, _ in rows)
    return "\n".join(f"{name:<{width}} {value:>12} {unit}".rstrip() for name, value, unit in rows)


def main() -> None:
    """Read the command line, measure, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=Size.orders)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=Size.seed)
    parser.add_argument("--work", type=Path, help="folder for the scratch files")
    arguments = parser.parse_args()
    size = Size(orders=arguments.orders, seed=arguments.seed)
    with tempfile.TemporaryDirectory(prefix="cx_bench_", dir=arguments.work) as work:
        try:
            result = measure(size, arguments.runs, Path(work))
        except BenchError as error:
            sys.exit(str(error))
    print(format_result(result))
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"orders_{size.orders}.json"
    file.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written: {file.relative_to(PROJECT_ROOT)}")


if __name__ == "__main__":
    main()
