"""The one summary that `cx build` ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from cx_warehouse.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cx_warehouse.dbt_process import DbtLog
    from cx_warehouse.publish import Publication
    from cx_warehouse.quality.results import GateResult

REASONS_SHOWN: Final = 3
LABEL_WIDTH: Final = 13


@dataclass(frozen=True)
class BuildReport:
    """What a whole build has done.

    Attributes
    ----------
    log
        What dbt has built and tested.
    gates
        Results of both gates.
    publication
        What readers now see.
    seconds
        Duration of each step, in order; the raw gate runs beside dbt.
    seconds_in_all
        Duration of the whole.
    """

    log: DbtLog
    gates: tuple[GateResult, ...]
    publication: Publication
    seconds: Mapping[str, float]
    seconds_in_all: float


def summarize(settings: Settings, report: BuildReport) -> list[str]:
    """Return the lines of the summary.

    Parameters
    ----------
    settings
        Where to look next.
    report
        What the build has done.

    Returns
    -------
    list of str
        One line for each fact, label first.
    """
    with duckdb.connect(report.publication.serve_file, read_only=True) as connection:
        facts = _data_facts(connection)
    facts += _work_facts(settings, report)
    return [f"{label:<{LABEL_WIDTH}}{text}" for label, text in facts]


def _data_facts(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return what was read, and what of it was set aside."""
    counts = connection.execute(
        "select source_name || '.' || table_name, raw_rows from quality.dq_row_counts"
        " where raw_rows > 0 order by raw_rows desc, 1"
    ).fetchall()
    totals = connection.execute(
        "select coalesce(sum(raw_rows), 0)::bigint, coalesce(sum(quarantined_rows), 0)::bigint,"
        " coalesce(sum(duplicate_rows), 0)::bigint from quality.dq_row_counts"
    ).fetchall()[0]
    tables = ", ".join(f"{name} {rows:,}" for name, rows in counts)
    facts = [
        ("Read", f"{_rows(totals[0])}: {tables}"),
        ("Quarantined", _rows(totals[1]) + _reasons(connection)),
        ("Duplicates", _rows(totals[2])),
    ]
    if _exists(connection, "dq_late_arrivals"):
        late = connection.execute(
            "select coalesce(sum(late_row_count), 0)::bigint from quality.dq_late_arrivals"
        ).fetchall()[0][0]
        facts.append(("Late", _rows(late)))
    return facts


def _reasons(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the commonest reasons of quarantine."""
    if not _exists(connection, "dq_quarantined_rows"):
        return ""
    rows = connection.execute(
        "select source_name || '.' || table_name, reason_code, count(*)"
        " from quality.dq_quarantined_rows group by all order by 3 desc, 1, 2"
    ).fetchall()
    shown = [f"{table} {code} {count:,}" for table, code, count in rows[:REASONS_SHOWN]]
    if len(rows) > REASONS_SHOWN:
        shown.append("...")
    return f": {', '.join(shown)}" if shown else ""


def _exists(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    found = connection.execute(
        "select 1 from duckdb_tables() where schema_name = 'quality' and table_name = ?", [table]
    ).fetchall()
    return bool(found)


def _work_facts(settings: Settings, report: BuildReport) -> list[tuple[str, str]]:
    """Return what was done, and where to look next."""
    log = report.log
    rules = sum(len(gate.checks) for gate in report.gates)
    warnings = sum(len(gate.warnings) for gate in report.gates)
    serve = settings.serve_path
    query = f"duckdb.connect('{serve}', read_only=True).sql('from marts.fct_orders limit 5').show()"
    return [
        ("Built", f"{log.count('model')} models, {log.count('seed')} seeds{_run_kind(settings)}"),
        ("Tested", f"{log.count('test')} dbt tests, {rules} rules of the gates"),
        ("Warnings", _warnings(report.gates) if warnings else "none"),
        ("Published", f"{serve} -> {report.publication.serve_file.name}"),
        ("", f"{settings.warehouse_dir / 'parquet'} -> {report.publication.parquet_folder.name}"),
        ("Took", _durations(report.seconds, report.seconds_in_all)),
        ("Look next", f'python -c "import duckdb; {query}"'),
        ("", f"{settings.validation_dir / 'index.html'} (what the gates checked)"),
        ("", f"cd {PROJECT_ROOT} && dbt docs generate && dbt docs serve (what each column means)"),
    ]


def _run_kind(settings: Settings) -> str:
    """Return whether the run built what was new or everything, and why; nothing if not told.

    What is published stays so though the next run holds the build file by now.
    """
    try:
        connection = duckdb.connect(settings.build_path, read_only=True)
    except duckdb.Error:
        return ""
    with connection:
        if not connection.execute("from duckdb_tables() where schema_name = 'ops'").fetchall():
            return ""
        is_full_refresh, reasons, files, restated = connection.execute(
            "select is_full_refresh, reasons,"
            " (select count(*) from ops.files where files.run_number = runs.run_number),"
            " (select coalesce(sum(deleted_rows), 0)::bigint from ops.rewrites"
            " where rewrites.run_number = runs.run_number and model_name = 'fct_person_months')"
            " from ops.runs order by run_number desc limit 1"
        ).fetchall()[0]
    if is_full_refresh:
        return f"; all rows anew: {reasons}"
    touched = f"what {files} new file{'' if files == 1 else 's'} touched"
    return f"; {touched}; {_rows(restated)} of fct_person_months restated"


def _warnings(gates: Sequence[GateResult]) -> str:
    messages = [check.message for gate in gates for check in gate.warnings]
    more = f" (and {len(messages) - 1} more on the page below)" if len(messages) > 1 else ""
    return messages[0] + more


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _durations(seconds: Mapping[str, float], seconds_in_all: float) -> str:
    steps = ", ".join(f"{name} {duration:.1f} s" for name, duration in seconds.items())
    return f"{seconds_in_all:.1f} s: {steps} (the raw gate runs beside dbt)"
