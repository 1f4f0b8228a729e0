"""Builds lakes and runs the project on them as a user would: each dbt command as a process."""

from __future__ import annotations

import csv
import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cx_warehouse.simulate import Config, simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import ModuleType

    import pandas as pd

PROJECT = Path(__file__).resolve().parents[2]
DBT = Path(sys.executable).parent / "dbt"
CX = DBT.with_name("cx")
DEMO = PROJECT / "data" / "demo"
ONLINE_RETAIL = PROJECT / "examples" / "online_retail" / "lake"
# A build that is compared with another, row by row, whose rows dbt has tested.
UNTESTED = ("--exclude-resource-type", "test")
Rows = "Sequence[Mapping[str, Any]]"
# Their minutes at the end would keep one worker busy while the others wait.
LONGEST = ("test_splits.py", "test_incremental.py", "test_demo.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first, all else in the order of names."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@dataclass(frozen=True)
class Warehouse:
    """A build file and what dbt said while it was built."""

    path: Path
    output: str
    succeeded: bool

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path), read_only=True) as con:
            return con.execute(sql).fetchall()

    def frame(self, sql: str) -> pd.DataFrame:
        with duckdb.connect(str(self.path), read_only=True) as con:
            return con.execute(sql).df()

    def public_rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return the sorted rows of every mart and quality table."""
        tables = self.query(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where schema_name in ('marts', 'quality')"
        )
        return {name: self.query(f"select * from {name} order by all") for (name,) in tables}


class BuildLake(Protocol):
    def __call__(  # noqa: PLR0913
        self,
        lake: Path,
        *,
        vars: dict[str, Any] | None = None,  # noqa: A002
        raw_format: str = "parquet",
        select: str | None = None,
        command: str = "build",
        check: bool = True,
        project: Path = PROJECT,
        environment: dict[str, str] | None = None,
        folder: Path | None = None,
        flags: Sequence[str] = (),
    ) -> Warehouse: ...


class Dbt:
    """Runs dbt commands as forks of one process, which has loaded dbt and parsed the project."""

    def __init__(self) -> None:
        self.forks = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("dbt_forks.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(  # noqa: PLR0913
        self,
        command: str,
        arguments: Sequence[str] = (),
        *,
        cache: Path,
        settings: Mapping[str, str],
        variables: str = "{}",
        project: Path = PROJECT,
    ) -> tuple[bool, str]:
        """Return whether a command succeeded, and what it printed."""
        printed = cache / "printed.txt"
        printed.unlink(missing_ok=True)
        request = {
            "project": str(project),
            "variables": variables,
            "cache": str(cache),
            "command": command,
            "arguments": list(arguments),
            "environment": os.environ | settings,
            "printed": str(printed),
        }
        print(json.dumps(request), file=self.forks.stdin, flush=True)
        status = self.forks.stdout.readline().strip()
        return status == "0", printed.read_text()

    def close(self) -> None:
        """End the process that forks."""
        self.forks.stdin.close()
        self.forks.wait()


@pytest.fixture(scope="session")
def dbt() -> Iterator[Dbt]:
    """Load dbt once for all commands."""
    started = Dbt()
    yield started
    started.close()


@pytest.fixture(scope="session")
def build_lake(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> BuildLake:
    """Run dbt on a lake into a warehouse of its own.

    dbt parses anew when vars or the path of the warehouse differ from the last time: so vars have
    a parse cache each, and dbt sees each warehouse under one name.
    """
    caches: dict[tuple[Path, str], Path] = defaultdict(lambda: tmp_path_factory.mktemp("target"))

    def build(  # noqa: PLR0913
        lake: Path,
        *,
        vars: dict[str, Any] | None = None,  # noqa: A002
        raw_format: str = "parquet",
        select: str | None = None,
        command: str = "build",
        check: bool = True,
        project: Path = PROJECT,
        environment: dict[str, str] | None = None,
        folder: Path | None = None,
        flags: Sequence[str] = (),
    ) -> Warehouse:
        folder = folder or tmp_path_factory.mktemp("warehouse")
        variables = json.dumps(vars or {})
        cache = caches[project, variables]
        current = cache / "warehouse"
        current.unlink(missing_ok=True)
        current.symlink_to(folder)
        arguments = [*flags]
        if command == "build":
            arguments += ["--exclude-resource-type", "unit_test"]
        if select:
            arguments += ["--select", select]
        settings = {
            "CX_RAW_PATH": str(lake),
            "CX_RAW_FORMAT": raw_format,
            "CX_WAREHOUSE_DIR": str(current),
            **(environment or {}),
        }
        succeeded, output = dbt.run(
            command,
            arguments,
            cache=cache,
            settings=settings,
            variables=variables,
            project=project,
        )
        if check:
            assert succeeded, output[-6000:]
        return Warehouse(folder / "build.duckdb", output, succeeded)

    return build


@pytest.fixture(scope="session")
def share(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Fill a folder once for all workers, who only read it."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def shared(name: str, fill: Callable[[Path], object]) -> Path:
        folder, is_filled = root / name, root / f"{name}.filled"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_filled.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                is_filled.touch()
        return folder

    return shared


@pytest.fixture(scope="session")
def published(share: Callable[..., Path]) -> Path:
    """Build and publish the demo as its user does: a simulated shop with all sources."""
    folder = share("demo", lambda folder: run_plainly(CX, "build", folder=folder / "warehouse"))
    return folder / "warehouse"


@pytest.fixture(scope="session")
def demo(published: Path) -> Warehouse:
    """Return what the demo is built to."""
    return Warehouse(published / "build.duckdb", "", succeeded=True)


@pytest.fixture(scope="session")
def online_retail(build_lake: BuildLake, share: Callable[..., Path]) -> Warehouse:
    """Build a real shop: the lake of the example."""
    folder = share("retail", lambda folder: build_lake(ONLINE_RETAIL, folder=folder))
    return Warehouse(folder / "build.duckdb", "", succeeded=True)


def run_plainly(*command: str | Path, folder: Path, cwd: Path = PROJECT) -> str:
    """Run a command of the activated environment, in the project and without other settings."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("CX_")}
    settings["PATH"] = f"{DBT.parent}:{settings['PATH']}"
    finished = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=settings | {"CX_WAREHOUSE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, (finished.stdout + finished.stderr)[-6000:]
    return finished.stdout + finished.stderr


def load_script(path: Path) -> ModuleType:
    """Import a script that belongs to no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def copy_project(folder: Path) -> Path:
    """Return a project whose seeds may be changed; all else is the original."""
    for name in ("dbt_project.yml", "profiles.yml", "models", "macros"):
        (folder / name).symlink_to(PROJECT / name)
    (folder / "tests").mkdir()
    (folder / "tests" / "dbt").symlink_to(PROJECT / "tests" / "dbt")
    shutil.copytree(PROJECT / "seeds", folder / "seeds")
    return folder


def add_to_seed(project: Path, seed: str, *rows: str) -> None:
    """Add rows, written as in the file, to a seed of a copied project."""
    with (project / "seeds" / f"{seed}.csv").open("a") as file:
        file.writelines(f"{row}\n" for row in rows)


@dataclass(frozen=True)
class SimulatedShop:
    """A simulated lake with every source, its truth, and what was built from it."""

    lake: Path
    truth: Path
    warehouse: Warehouse


@pytest.fixture(scope="session")
def simulated(build_lake: BuildLake, share: Callable[..., Path]) -> SimulatedShop:
    """Build a small shop once for all tests that only read it."""

    def fill(folder: Path) -> None:
        (folder / "warehouse").mkdir()
        lake = simulate(Config(400, 365, 1), folder / "shop").lake
        build_lake(lake, folder=folder / "warehouse")

    folder = share("simulated", fill)
    warehouse = Warehouse(folder / "warehouse" / "build.duckdb", "", succeeded=True)
    return SimulatedShop(folder / "shop" / "lake", folder / "shop" / "truth", warehouse)


def write_table(lake: Path, table: str, rows: Rows, raw_format: str = "parquet") -> Path:
    """Write rows of `source/table` as one more file; returns its path."""
    folder = lake / table
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"part-{len(list(folder.iterdir()))}.{raw_format}"
    names = list(dict.fromkeys(name for row in rows for name in row))
    if raw_format == "json":
        path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
    elif raw_format == "csv":
        with path.open("w", newline="") as handle:
            writer = csv.DictWriter(handle, names)
            writer.writeheader()
            writer.writerows(rows)
    else:
        columns = {name: [row.get(name) for row in rows] for name in names}
        pq.write_table(pa.table(columns), path)
    return path


def write_lake(lake: Path, tables: Mapping[str, Rows], raw_format: str = "parquet") -> Path:
    """Write a lake from rows by `source/table`; returns its root."""
    for table, rows in tables.items():
        write_table(lake, table, rows, raw_format)
    return lake


def order(order_id: str, total: float | str = "10.00", **more: Any) -> dict[str, Any]:
    """Return an order of one amount, as text, that every rule accepts."""
    return {
        "order_id": order_id,
        "ordered_at": "2024-03-01 12:00:00",
        "currency": "EUR",
        "item_total": str(total),
        "order_total": str(total),
        **more,
    }
