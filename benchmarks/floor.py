"""Copy every table of a raw lake once into DuckDB tables and print the seconds that it took.

Run in a process of its own, so that nothing is warm but the file cache. The interpreter's start is
not counted; the checkpoint is, because a build leaves its tables on disk as well.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import duckdb


def copy_tables(raw_path: Path, database: Path) -> float:
    """Copy the Parquet tables of a lake into a new database.

    Parameters
    ----------
    raw_path
        Root of the raw lake.
    database
        DuckDB file to create.

    Returns
    -------
    float
        Wall time in seconds from opening the database to its closed file.
    """
    folders = sorted({file.parent for file in raw_path.rglob("*.parquet")})
    started = time.perf_counter()
    with duckdb.connect(str(database), config={"preserve_insertion_order": "false"}) as connection:
        for folder in folders:
            name = "_".join(folder.relative_to(raw_path).parts)
            connection.execute(
                f'create table "{name}" as from read_parquet(?)',
                [str(folder / "*.parquet")],
            )
        connection.execute("checkpoint")
    return time.perf_counter() - started


def main() -> None:
    """Read the command line and print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raw_path", type=Path)
    parser.add_argument("database", type=Path)
    arguments = parser.parse_args()
    print(copy_tables(arguments.raw_path, arguments.database))


if __name__ == "__main__":
    main()
