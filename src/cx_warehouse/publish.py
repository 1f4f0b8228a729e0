"""Publishing: copies what has passed the gates to new files, and moves readers' links to them.

In `$CX_WAREHOUSE_DIR` a publication is `serve-<id>.duckdb` and the folder `parquet-<id>`; the links
`serve.duckdb` and `parquet` name the published one. Each link moves in one step, when its files are
whole and on disk, so a reader finds the old version or the new one. The version just replaced is
kept: who has resolved the link must still find its file.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from cx_warehouse.quality.gates import GATES, build_id, in_use_message, open_build
from cx_warehouse.quality.results import GateResult, file_fingerprint, read_result, result_path
from cx_warehouse.quality.rules import literal, quoted
from cx_warehouse.settings import CxError, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PUBLISHED_SCHEMAS: Final = ("marts", "quality")
PARTIAL: Final = ".partial"
OWN_FILES: Final = re.compile(r"serve-[0-9a-f]{12}\.duckdb.*|parquet-[0-9a-f]{12}.*")
NEW_LINKS: Final = re.compile(r"\.(serve\.duckdb|parquet)\.link")
SPILL: Final = "publish.tmp"

VALIDATION_TABLE: Final = """
create table serve.quality.dq_validation_results (
    run_id varchar not null,
    suite varchar not null,
    expectation varchar not null,
    column_name varchar not null,
    success boolean not null,
    observed varchar,
    unexpected_count bigint,
    severity varchar not null
)
"""
VALIDATION_COMMENTS: Final = {
    "": (
        "What the gates checked before this file was published: one row per gate's run, suite,"
        " expectation and columns. Nothing critical has failed here, or there were no such file;"
        " warnings may have."
    ),
    "run_id": "Run of a gate: build_id for the marts gate, lake_fingerprint for the raw gate.",
    "suite": "Table that was checked, with its schema; raw tables are in schemas raw_<source>.",
    "expectation": "Name of the rule: what holds when it succeeds.",
    "column_name": "Columns that the rule reads, separated by commas; empty for the whole table.",
    "success": "Whether the rule holds.",
    "observed": "What was found, as text: a number of rows, or a share.",
    "unexpected_count": "Rows that break the rule; null where the rule is not about rows.",
    "severity": "critical stops a build from being published; warning and info stop nothing.",
}


@dataclass(frozen=True)
class Publication:
    """What a publish has made.

    Attributes
    ----------
    serve_file
        The DuckDB file that `serve.duckdb` now names.
    parquet_folder
        The folder that `parquet` now names.
    tables
        Published tables, `dq_validation_results` included.
    is_lake_checked
        Whether the raw gate has looked at the very files that were built. Otherwise some have come
        in between, or it was another lake.
    """

    serve_file: Path
    parquet_folder: Path
    tables: tuple[str, ...]
    is_lake_checked: bool


@dataclass(frozen=True)
class SourceTable:
    """A table (or view) of the build file that is published."""

    schema: str
    name: str

    @property
    def in_build(self) -> str:
        """Its name in SQL, in the attached build file."""
        return f"build.{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def in_serve(self) -> str:
        """Its name in SQL, in the attached new file."""
        return f"serve.{quoted(self.schema)}.{quoted(self.name)}"


def publish(settings: Settings, *, keep_previous: bool = True) -> Publication:
    """Copy the schemas marts and quality to new files, and move the links to them.

    Parameters
    ----------
    settings
        Where the build file is, and where to publish.
    keep_previous
        Keep the version that is replaced, for readers that are about to open it. False when what it
        holds must go.

    Returns
    -------
    Publication
        Where it is.

    Raises
    ------
    CxError
        If the gates have not passed this very build, or the copy fails; what is published then
        stays as it was.
    """
    settings.create_warehouse_dir()
    folder = settings.warehouse_dir
    links = (folder / "parquet", folder / "serve.duckdb")
    with _lock(folder):
        _check_links(links)
        results = _passed_gates(settings)
        _remove_partial(folder)
        identifier = secrets.token_hex(6)
        replaced = {link.readlink().name for link in links if link.is_symlink()}
        try:
            publication = _write(settings, identifier, results)
            made = (publication.parquet_folder.name, publication.serve_file.name)
            for link, name in zip(links, made, strict=True):
                _switch(link, name)
        except CxError:
            _remove_partial(folder)
            raise
        except duckdb.Error as error:
            _remove_partial(folder)
            message = f"cannot publish {settings.build_path}: {str(error).splitlines()[0]}"
            raise CxError(message) from error
        except OSError as error:
            _remove_partial(folder)
            message = f"cannot publish to {folder} ({error.strerror or error})"
            raise CxError(message) from error
        _remove_others(folder, {*made, *(replaced if keep_previous else ())})
    return publication


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Wait until no other process publishes here; the lock of a killed one is gone with it."""
    with (folder / ".publish.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _passed_gates(settings: Settings) -> list[GateResult]:
    """Return both gates' results, if they let this very build pass."""
    connection = open_build(settings)
    try:
        current = build_id(connection)
    except duckdb.Error as error:
        message = f"{settings.build_path} holds no complete build; run `cx build`"
        raise CxError(message) from error
    finally:
        connection.close()
    results = []
    for gate in GATES:
        result = read_result(settings.validation_dir, gate)
        if result is None:
            message = f"not published: the {gate} gate has not run; run `cx check {gate}`"
            raise CxError(message)
        if result.stops:
            message = f"not published: {result.stops[0].message} (`cx check {gate}`)"
            raise CxError(message)
        results.append(result)
    _check_same_build(settings, results, current)
    return results


def _check_same_build(
    settings: Settings, results: Sequence[GateResult], current: str | None = None
) -> None:
    """Refuse a build file that is not the one the marts gate has seen."""
    marts = results[GATES.index("marts")]
    other = current is not None and marts.run_id != current
    if other or marts.build_file != file_fingerprint(settings.build_path):
        message = (
            f"not published: {settings.build_path} has been written since the marts gate checked"
            f" build {marts.run_id}; run `cx check marts`"
        )
        raise CxError(message)


def _write(settings: Settings, identifier: str, results: Sequence[GateResult]) -> Publication:
    """Write both forms under names that no link has, and bring them to disk."""
    folder = settings.warehouse_dir
    serve_file = folder / f"serve-{identifier}.duckdb"
    parquet_folder = folder / f"parquet-{identifier}"
    partial_file = serve_file.with_name(serve_file.name + PARTIAL)
    partial_folder = parquet_folder.with_name(parquet_folder.name + PARTIAL)
    with _attached(settings, partial_file) as connection:
        # Nobody can write the build file while it is attached here, so this is the last look.
        _check_same_build(settings, results)
        tables = _source_tables(connection)
        for schema in PUBLISHED_SCHEMAS:
            connection.execute(f"create schema serve.{quoted(schema)}")
        for table in tables:
            _copy_table(connection, table)
        validation = _write_validation(connection, settings, results)
        built = connection.execute(
            "select lake_fingerprint from build.quality.dq_builds"
        ).fetchall()
        published = [*tables, validation]
        _write_parquet(connection, published, partial_folder)
        connection.execute("checkpoint serve")
    _sync_tree(partial_folder)
    _sync(partial_file)
    partial_folder.rename(parquet_folder)
    partial_file.rename(serve_file)
    _sync(folder)
    names = tuple(f"{table.schema}.{table.name}" for table in published)
    is_lake_checked = built == [(results[GATES.index("raw")].run_id,)]
    return Publication(serve_file, parquet_folder, names, is_lake_checked)


@contextmanager
def _attached(settings: Settings, target: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Attach the build file read-only and a new file, on a connection that is closed in the end."""
    spill = settings.warehouse_dir / SPILL
    with duckdb.connect() as connection:
        connection.execute("set temp_directory = ?", [str(spill)])
        connection.execute("set timezone = 'UTC'")
        try:
            connection.execute(f"attach {literal(str(settings.build_path))} as build (read_only)")
        except duckdb.Error as error:
            raise CxError(in_use_message(settings, error)) from error
        connection.execute(f"attach {literal(str(target))} as serve")
        yield connection
        connection.execute("detach serve")
    shutil.rmtree(spill, ignore_errors=True)


def _source_tables(connection: duckdb.DuckDBPyConnection) -> list[SourceTable]:
    rows = connection.execute(
        "select schema_name, table_name from duckdb_tables()"
        " where database_name = 'build' and list_contains($schemas, schema_name)"
        " union all select schema_name, view_name from duckdb_views()"
        " where database_name = 'build' and list_contains($schemas, schema_name)"
        " order by all",
        {"schemas": list(PUBLISHED_SCHEMAS)},
    ).fetchall()
    return [SourceTable(str(schema), str(name)) for schema, name in rows]


def _copy_table(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> None:
    """Copy a table with its constraints and comments; a view becomes a table."""
    definition = connection.execute(
        "select sql from duckdb_tables() where database_name = 'build'"
        " and schema_name = ? and table_name = ?",
        [table.schema, table.name],
    ).fetchone()
    if definition is None:
        connection.execute(f"create table {table.in_serve} as select * from {table.in_build}")
    else:
        # The definition names schema and table only: it goes to the current database.
        connection.execute("use serve")
        connection.execute(str(definition[0]))
        connection.execute("use memory")
        connection.execute(f"insert into {table.in_serve} select * from {table.in_build}")
    _copy_comments(connection, table)


def _copy_comments(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> None:
    place = "database_name = 'build' and schema_name = $schema"
    names = {"schema": table.schema, "name": table.name}
    of_table = connection.execute(
        f"select comment from duckdb_tables() where {place} and table_name = $name"
        f" union all select comment from duckdb_views() where {place} and view_name = $name",
        names,
    ).fetchall()
    of_columns = connection.execute(
        f"select column_name, comment from duckdb_columns() where {place} and table_name = $name",
        names,
    ).fetchall()
    comments = {"": of_table[0][0], **dict(of_columns)}
    _comment(connection, table, {name: text for name, text in comments.items() if text})


def _comment(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, comments: dict[str, str]
) -> None:
    """Set the comments of a published table (under the name '') and of its columns."""
    for name, text in comments.items():
        target = f"column {table.in_serve}.{quoted(name)}" if name else f"table {table.in_serve}"
        connection.execute(f"comment on {target} is {literal(text)}")


def _write_validation(
    connection: duckdb.DuckDBPyConnection, settings: Settings, results: Sequence[GateResult]
) -> SourceTable:
    """Make the one table that is not in the build file, from what the gates wrote."""
    table = SourceTable("quality", "dq_validation_results")
    connection.execute(f"drop table if exists {table.in_serve}")
    connection.execute(VALIDATION_TABLE)
    paths = [str(result_path(settings.validation_dir, result.gate)) for result in results]
    columns = ", ".join(name for name in VALIDATION_COMMENTS if name)
    connection.execute(
        f"insert into {table.in_serve} select {columns} from read_parquet(?) order by all", [paths]
    )
    _comment(connection, table, VALIDATION_COMMENTS)
    return table


def _write_parquet(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[SourceTable], folder: Path
) -> None:
    for schema in PUBLISHED_SCHEMAS:
        (folder / schema).mkdir(parents=True)
    for table in tables:
        path = folder / table.schema / f"{table.name}.parquet"
        connection.execute(
            f"copy {table.in_serve} to {literal(str(path))} (format parquet, compression zstd)"
        )


def _sync(path: Path) -> None:
    """Bring a file's content, or a folder's names, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        _sync(path)
    _sync(folder)


def _switch(link: Path, target: str) -> None:
    """Point a link to another name of its folder, in one step."""
    new = link.with_name(f".{link.name}.link")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)
    _sync(link.parent)


def _check_links(links: Sequence[Path]) -> None:
    for link in links:
        if link.exists() and not link.is_symlink():
            message = f"{link} is no link that `cx publish` has made; move it away"
            raise CxError(message)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_partial(folder: Path) -> None:
    """Remove what a killed or failed run has left unfinished."""
    for path in folder.iterdir():
        unfinished = OWN_FILES.fullmatch(path.name) and PARTIAL in path.name
        if unfinished or NEW_LINKS.fullmatch(path.name) or path.name == SPILL:
            _remove(path)


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Remove all publications but some."""
    for path in folder.iterdir():
        if OWN_FILES.fullmatch(path.name) and path.name not in kept:
            _remove(path)
