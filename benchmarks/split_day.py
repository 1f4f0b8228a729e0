"""Take one day out of a lake: the files of all days before it, and the files that arrived on it.

A row arrives at its `_loaded_at`. The day is the last whole one of the events; what arrived later
is left out of both, and what says nothing of its arrival is there from the start.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path

import duckdb


def last_whole_day(con: duckdb.DuckDBPyConnection, lake: Path) -> datetime:
    """Return the midnight at which the last whole day of events begins."""
    files = [str(file) for file in sorted((lake / "web" / "events").rglob("*.parquet"))]
    newest = max(
        con.execute(
            "select max(try_cast(occurred_at as timestamp)) from read_parquet(?)", [file]
        ).fetchall()[0][0]
        for file in files[:3]
    )
    return newest.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)


def copy_rows(con: duckdb.DuckDBPyConnection, file: Path, condition: str, target: Path) -> int:
    """Copy the rows of a file that a condition holds for; returns their number."""
    target.parent.mkdir(parents=True, exist_ok=True)
    con.execute(f"copy (from '{file}' where {condition}) to '{target}' (format parquet)")
    rows = con.execute(f"select count(*) from '{target}'").fetchall()[0][0]
    if not rows:
        target.unlink()
    return int(rows)


def main() -> None:
    """Read lake, lake of the days before, and folder of the day from the command line."""
    lake, before, day = (Path(argument) for argument in sys.argv[1:])
    con = duckdb.connect(config={"memory_limit": "2GB", "preserve_insertion_order": False})
    con.execute("set timezone = 'UTC'")
    start = last_whole_day(con, lake)
    for file in sorted(lake.rglob("*.parquet")):
        names = {row[0] for row in con.execute(f"describe from '{file}'").fetchall()}
        loaded_at = "try_cast(_loaded_at as timestamp)" if "_loaded_at" in names else "null"
        path = file.relative_to(lake)
        is_before = f"coalesce({loaded_at} < timestamp '{start}', true)"
        copy_rows(con, file, is_before, before / path)
        is_on_day = f"{loaded_at} >= timestamp '{start}'"
        is_on_day += f" and {loaded_at} < timestamp '{start + timedelta(days=1)}'"
        copy_rows(con, file, is_on_day, day / path.with_name(f"day-{path.name}"))


if __name__ == "__main__":
    main()
