"""Results of the gates, and the Parquet files they are kept in between a gate and `cx publish`."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from cx_warehouse.settings import CxError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MESSAGES_SHOWN: Final = 5
BUILD_FILE_KEY: Final = b"cx_build_file"


@dataclass(frozen=True)
class Check:
    """One rule of one suite, and what came of it.

    Attributes
    ----------
    suite
        Table that was checked, with its schema.
    expectation
        Name of the rule; with suite and column_name it is unique in a gate's run.
    column_name
        Columns that the rule reads, separated by commas; empty for the table as a whole.
    severity
        critical (stops), warning or info.
    success
        Whether the rule holds.
    observed
        What was found: a number of rows or a share, as text.
    unexpected_count
        Rows that break the rule; None where the rule is not about rows.
    message
        One line for people: what is wrong, or why the rule was not checked; empty when it holds.
    sample_keys
        Up to three keys of rows that break the rule.
    """

    suite: str
    expectation: str
    column_name: str
    severity: str
    success: bool
    observed: str = ""
    unexpected_count: int | None = None
    message: str = ""
    sample_keys: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        """Whether this alone keeps the build from being published."""
        return not self.success and self.severity == "critical"


@dataclass(frozen=True)
class GateResult:
    """All checks of one gate.

    Attributes
    ----------
    gate
        raw or marts.
    run_id
        Comes from the data that was checked, never from the clock: the lake's fingerprint or the
        build's id.
    checks
        In the order of the suites.
    build_file
        Fingerprint of the build file that was checked; empty for the raw gate.
    """

    gate: str
    run_id: str
    checks: tuple[Check, ...]
    build_file: str = ""

    @property
    def stops(self) -> tuple[Check, ...]:
        """The checks that keep the build from being published."""
        return tuple(check for check in self.checks if check.stops)

    @property
    def warnings(self) -> tuple[Check, ...]:
        """Failed checks that stop nothing."""
        return tuple(check for check in self.checks if not check.success and not check.stops)


class GateError(CxError):
    """A gate has stopped; its text names table, rule, count and sample keys, one line per rule."""

    def __init__(self, result: GateResult) -> None:
        self.result = result
        super().__init__(stop_message(result))


def stop_message(result: GateResult) -> str:
    """Say in a few lines why a gate stops.

    Parameters
    ----------
    result
        A gate's result with at least one critical failure.

    Returns
    -------
    str
        One line per broken rule, the first five.
    """
    # Where a table cannot be read, all its rules say the same.
    lines = list(dict.fromkeys(check.message for check in result.stops))
    shown = lines[:MESSAGES_SHOWN]
    if len(lines) > MESSAGES_SHOWN:
        shown.append(f"... and {len(lines) - MESSAGES_SHOWN} more")
    return f"the {result.gate} gate stops: " + "\n  ".join(shown)


def file_fingerprint(path: Path) -> str:
    """Return what tells a later state of a DuckDB file from this one.

    Parameters
    ----------
    path
        The DuckDB file; its write-ahead log counts with it.

    Returns
    -------
    str
        Hash of sizes and modification times.
    """
    states = []
    for part in (path, path.with_name(path.name + ".wal")):
        if part.exists():
            status = part.stat()
            states.append((part.name, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(repr(states).encode()).hexdigest()


def result_path(folder: Path, gate: str) -> Path:
    """Return where a gate's result is kept."""
    return folder / f"{gate}.parquet"


def write_result(folder: Path, result: GateResult) -> Path:
    """Write a gate's result as Parquet; a reader sees the old file or the new one, never a part.

    Parameters
    ----------
    folder
        `$CX_WAREHOUSE_DIR/validation`; it is created.
    result
        What the gate found.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    CxError
        If the file cannot be written.
    """
    import pyarrow as pa  # noqa: PLC0415 - imported when needed: it is slow
    import pyarrow.parquet as pq  # noqa: PLC0415

    types = {
        "success": pa.bool_(),
        "unexpected_count": pa.int64(),
        "sample_keys": pa.list_(pa.string()),
    }
    names = [field.name for field in fields(Check)]
    schema = pa.schema(
        [("run_id", pa.string()), *((name, types.get(name, pa.string())) for name in names)],
        metadata={BUILD_FILE_KEY: result.build_file.encode()},
    )
    rows = [{"run_id": result.run_id, **asdict(check)} for check in result.checks]
    path = result_path(folder, result.gate)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary)
        temporary.replace(path)
    except OSError as error:
        message = f"cannot write the gate's results to {path} ({error.strerror or error})"
        raise CxError(message) from error
    return path


def read_result(folder: Path, gate: str) -> GateResult | None:
    """Read what a gate has left.

    Parameters
    ----------
    folder
        `$CX_WAREHOUSE_DIR/validation`.
    gate
        raw or marts.

    Returns
    -------
    GateResult or None
        None where the gate has not run.

    Raises
    ------
    CxError
        If the file is there but cannot be read.
    """
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    path = result_path(folder, gate)
    if not path.exists():
        return None
    try:
        table = pq.read_table(path)
        rows: list[dict[str, Any]] = table.to_pylist()
        build_file = (table.schema.metadata or {}).get(BUILD_FILE_KEY, b"").decode()
        run_id = str(rows[0]["run_id"])
        checks = tuple(_check(row) for row in rows)
    except (pa.ArrowException, OSError, KeyError, IndexError, TypeError) as error:
        message = f"{path} is not a gate's result; run `cx check {gate}` again"
        raise CxError(message) from error
    return GateResult(gate, run_id, checks, build_file)


def _check(row: dict[str, Any]) -> Check:
    values = {name: value for name, value in row.items() if name != "run_id"}
    return Check(**{**values, "sample_keys": tuple(values["sample_keys"])})


def content_id(parts: Iterable[object]) -> str:
    """Return a short id that depends on nothing but the parts.

    Parameters
    ----------
    parts
        Whatever JSON can hold, or turns to text.

    Returns
    -------
    str
        Sixteen hexadecimal digits.
    """
    text = json.dumps(list(parts), default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
