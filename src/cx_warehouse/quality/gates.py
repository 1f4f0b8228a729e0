"""The two gates: `cx check raw` before a build, `cx check marts` before it may be published."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import duckdb
import yaml

from cx_warehouse.lake import register_lake
from cx_warehouse.quality.marts_suites import Catalog, RawCounts, marts_suites, unchecked
from cx_warehouse.quality.raw_suites import raw_suites
from cx_warehouse.quality.report import write_report
from cx_warehouse.quality.results import (
    Check,
    GateError,
    GateResult,
    content_id,
    file_fingerprint,
    read_result,
    write_result,
)
from cx_warehouse.settings import PROJECT_ROOT, CxError, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

GATES: Final = ("raw", "marts")
CHECKED_SCHEMAS: Final = ("marts", "quality")
# Without these there is nothing to judge a build by.
NEEDED_TABLES: Final = ("marts.fct_orders", "quality.dq_builds", "quality.dq_row_counts")
LAKE_SUITE: Final = "raw_lake.files"


def quarantine_share_max(variables: Mapping[str, Any]) -> float:
    """Return `var quarantine_share_max`.

    Parameters
    ----------
    variables
        What `--vars` overrides of the vars in `dbt_project.yml`.

    Returns
    -------
    float
        A share between 0 and 1.

    Raises
    ------
    CxError
        If the value is no such share.
    """
    project = yaml.safe_load((PROJECT_ROOT / "dbt_project.yml").read_text())
    value = {**project["vars"], **variables}["quarantine_share_max"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        message = f"var quarantine_share_max: {value!r} is not a share between 0 and 1"
        raise CxError(message)
    return float(value)


def open_lake(settings: Settings) -> duckdb.DuckDBPyConnection:
    """Open the raw lake in memory, or stop.

    Parameters
    ----------
    settings
        Where the lake is.

    Returns
    -------
    duckdb.DuckDBPyConnection
        A database in memory with a view per raw table.

    Raises
    ------
    CxError
        If the lake cannot be read; the raw gate's result says so too.
    """
    settings.create_warehouse_dir()
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute("set temp_directory = ?", [str(settings.warehouse_dir / "raw.tmp")])
    try:
        register_lake(connection, settings)
    except CxError as error:
        connection.close()
        message = str(error)
        check = Check(LAKE_SUITE, "lake_is_readable", "", "critical", False, message=message)  # noqa: FBT003
        _keep(settings, GateResult("raw", content_id([message]), (check,)))
        raise
    return connection


def lake_fingerprint(lake: duckdb.DuckDBPyConnection) -> tuple[str, int]:
    """Return what tells this content of the lake from any other.

    Parameters
    ----------
    lake
        A database in which the lake is registered.

    Returns
    -------
    tuple of (str, int)
        Hash of the files' paths and contents, the same as `dq_builds.lake_fingerprint`, and the
        number of files.
    """
    rows = lake.execute(
        "select md5(string_agg(path || '|' || content_hash, ',' order by path)), count(*)"
        " from raw_lake.files"
    ).fetchall()
    return str(rows[0][0]), int(rows[0][1])


def has_orders(lake: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the lake holds an order that can be read; a quick look that needs no suite."""
    try:
        return bool(lake.execute("select order_id from raw_storefront.orders limit 1").fetchall())
    except duckdb.Error:
        return False


def check_raw(
    settings: Settings,
    variables: Mapping[str, Any],
    lake: duckdb.DuckDBPyConnection | None = None,
) -> GateResult:
    """Run the raw gate, and leave its result and the page.

    Parameters
    ----------
    settings
        Where the lake is, and where results go.
    variables
        What `--vars` overrides.
    lake
        The lake as `open_lake` gives it, to be closed by the caller; None opens it here.

    Returns
    -------
    GateResult
        Which may hold warnings.

    Raises
    ------
    GateError
        If the lake would poison the warehouse.
    CxError
        If the lake cannot be read.
    """
    share_max = quarantine_share_max(variables)
    connection = lake or open_lake(settings)
    try:
        # Takes seconds to import: only a gate that runs pays for it.
        from cx_warehouse.quality.expectations import validate  # noqa: PLC0415

        fingerprint, files = lake_fingerprint(connection)
        readable = Check(
            LAKE_SUITE, "lake_is_readable", "", "critical", success=True, observed=str(files)
        )
        checks = (readable, *validate(connection, raw_suites(share_max)))
    finally:
        if lake is None:
            connection.close()
    return _judged(settings, GateResult("raw", fingerprint, checks))


def check_marts(settings: Settings, variables: Mapping[str, Any]) -> GateResult:
    """Run the marts gate on the build file, and leave its result and the page.

    Parameters
    ----------
    settings
        Where the build file is, and where results go.
    variables
        What `--vars` overrides.

    Returns
    -------
    GateResult
        Which may hold warnings.

    Raises
    ------
    GateError
        If the marts cannot be true, or too much is quarantined.
    CxError
        If the build file is absent, in use, or holds no complete build, or if its last run did not
        finish.
    """
    share_max = quarantine_share_max(variables)
    fingerprint = file_fingerprint(settings.build_path)
    connection = open_build(settings)
    try:
        # Takes seconds to import: only a gate that runs pays for it.
        from cx_warehouse.quality.expectations import validate  # noqa: PLC0415

        catalog = read_catalog(connection)
        _check_complete(settings, catalog)
        _check_finished(settings, connection)
        run_id = build_id(connection)
        tables = connection.execute(
            "select source_name, table_name from quality.dq_row_counts order by all"
        ).fetchall()
        suites = marts_suites(catalog, tables, share_max, _published_counts(settings))
        checks = [*validate(connection, suites)]
    finally:
        connection.close()
    checks += _unchecked(catalog)
    return _judged(settings, GateResult("marts", run_id, tuple(checks), fingerprint))


def open_build(settings: Settings) -> duckdb.DuckDBPyConnection:
    """Open the build file read-only.

    Parameters
    ----------
    settings
        Where the build file is.

    Returns
    -------
    duckdb.DuckDBPyConnection
        To be closed before this process opens the file otherwise.

    Raises
    ------
    CxError
        If it is absent, no DuckDB file, or open for writing elsewhere.
    """
    if not settings.build_path.exists():
        message = f"{settings.build_path} does not exist; run `cx build` or `dbt build` first"
        raise CxError(message)
    try:
        return duckdb.connect(settings.build_path, read_only=True)
    except duckdb.Error as error:
        raise CxError(in_use_message(settings, error)) from error


def in_use_message(settings: Settings, error: duckdb.Error) -> str:
    """Say why the build file cannot be opened.

    Parameters
    ----------
    settings
        Where the build file is.
    error
        What DuckDB raised.

    Returns
    -------
    str
        One line.
    """
    reason = str(error).splitlines()[0]
    holder = re.search(r"PID (\d+)", reason)
    if holder is not None:
        return (
            f"{settings.build_path} is being written by process {holder[1]};"
            " try again when it has finished"
        )
    return f"cannot open {settings.build_path}: {reason}"


def read_catalog(connection: duckdb.DuckDBPyConnection) -> Catalog:
    """Return the columns of each table and view in the schemas marts and quality.

    Parameters
    ----------
    connection
        The build file.

    Returns
    -------
    Catalog
        `schema.table` to column name to DuckDB type.
    """
    rows = connection.execute(
        "select schema_name || '.' || table_name, column_name, data_type from duckdb_columns()"
        " where database_name = current_database() and list_contains($schemas, schema_name)"
        " order by 1, column_index",
        {"schemas": list(CHECKED_SCHEMAS)},
    ).fetchall()
    catalog: dict[str, dict[str, str]] = defaultdict(dict)
    for table, column, data_type in rows:
        catalog[table][column] = data_type
    return dict(catalog)


def build_id(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the id of the build that the file holds.

    Parameters
    ----------
    connection
        The build file.

    Returns
    -------
    str
        `build_id` of the one row of `quality.dq_builds`.

    Raises
    ------
    CxError
        If there is not exactly one row.
    """
    rows = connection.execute("select cast(build_id as varchar) from quality.dq_builds").fetchall()
    if len(rows) != 1 or rows[0][0] is None:
        message = f"quality.dq_builds holds {len(rows)} rows instead of one; build again"
        raise CxError(message)
    return str(rows[0][0])


def _check_complete(settings: Settings, catalog: Catalog) -> None:
    absent = [name for name in NEEDED_TABLES if name not in catalog]
    if absent:
        message = f"{settings.build_path} lacks {', '.join(absent)}; run `cx build` or `dbt build`"
        raise CxError(message)


def _check_finished(settings: Settings, connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse marts of which the last run has rebuilt some and left others as they were."""
    found = connection.execute(
        "select count(*) > 0 from duckdb_tables() where schema_name = 'ops' and table_name = 'runs'"
    ).fetchone()
    is_finished = found == (True,) and connection.execute(
        "select arg_max(coalesce(is_whole, false), run_number) from ops.runs"
    ).fetchone() == (True,)
    if not is_finished:
        message = (
            f"the last run into {settings.build_path} failed, or left models out;"
            " run `cx build` or `dbt build`"
        )
        raise CxError(message)


def _published_counts(settings: Settings) -> dict[tuple[str, str], RawCounts]:
    """Return the raw rows of what readers see; none where nothing is published that tells them."""
    if not settings.serve_path.exists():
        return {}
    try:
        with duckdb.connect(settings.serve_path, read_only=True) as published:
            rows = published.execute(
                "select source_name, table_name, raw_rows, quarantined_rows"
                " from quality.dq_row_counts"
            ).fetchall()
    except duckdb.Error:
        return {}
    return {(source, table): RawCounts(*counts) for source, table, *counts in rows}


def _unchecked(catalog: Catalog) -> list[Check]:
    """Return a warning for each rule whose columns a built mart lacks."""
    checks = []
    for suite, rule, missing in unchecked(catalog):
        columns = ", ".join(rule.columns)
        reason = f"column {', '.join(missing)} is absent" if missing else "no key is declared"
        message = f"{suite}: rule {rule.name} was not checked: {reason}"
        checks.append(Check(suite, rule.name, columns, "warning", success=False, message=message))
    return checks


def _keep(settings: Settings, result: GateResult) -> None:
    """Write a result, and the page on all gates' latest results."""
    write_result(settings.validation_dir, result)
    found = [read_result(settings.validation_dir, gate) for gate in GATES]
    write_report(settings.validation_dir, [each for each in found if each is not None])


def _judged(settings: Settings, result: GateResult) -> GateResult:
    _keep(settings, result)
    if result.stops:
        raise GateError(result)
    return result
