"""What a measurement reads: the truth beside a simulated lake, and the warehouse built of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from cx_warehouse.quality.gates import in_use_message
from cx_warehouse.settings import CxError, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def built_file(settings: Settings) -> Path:
    """Return the build file, or the published one where there is none.

    Raises
    ------
    CxError
        If nothing was built.
    """
    for path in (settings.build_path, settings.serve_path):
        if path.exists():
            return path
    message = f"{settings.build_path} does not exist; run `cx build` or `dbt build` first"
    raise CxError(message)


def open_truth(connection: duckdb.DuckDBPyConnection, truth: Path, tables: Iterable[str]) -> None:
    """Make a view truth_<table> of each table of the truth.

    Raises
    ------
    CxError
        If one is missing or cannot be read.
    """
    for table in tables:
        path = truth / f"{table}.parquet"
        if not path.is_file():
            message = (
                f"--truth: {path} does not exist; name the folder truth that `cx simulate` of this"
                " version wrote beside the lake"
            )
            raise CxError(message)
        try:
            connection.from_parquet(str(path)).create_view(f"truth_{table}")
        except duckdb.Error as error:
            message = f"--truth: cannot read {path}: {str(error).splitlines()[0]}"
            raise CxError(message) from error


def attach_built(
    connection: duckdb.DuckDBPyConnection, settings: Settings, file: Path, tables: Iterable[str]
) -> None:
    """Attach what was built as `built`, and look whether all that is needed is there.

    Raises
    ------
    CxError
        If it is in use, or lacks a table.
    """
    quoted = str(file).replace("'", "''")
    try:
        connection.execute(f"attach '{quoted}' as built (read_only)")
    except duckdb.Error as error:
        raise CxError(in_use_message(settings, error)) from error
    found = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'built'"
    ).fetchall()
    missing = [name for name in tables if (name,) not in found]
    if missing:
        message = f"{file} lacks {', '.join(missing)}; run `cx build` or `dbt build`"
        raise CxError(message)
