"""Registers the raw lake as views, one per table of the contract.

A view gives each column of the contract in its own type where all files carry it so, a number in
the type that all files give it, and else as text; staging casts. A value reads the same whichever
files stand beside it: they are grouped by their columns and types, and each group is turned into
text by the same rules (a whole float reads as its integer).
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import json
import os
import re
from collections import Counter, defaultdict
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import duckdb

from cx_warehouse.contract import NATIVE_TYPES, Column, Table, raw_tables
from cx_warehouse.settings import RAW_FORMATS, CxError, Settings, without_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

HASHED_BYTES: Final = 65536
BLOCK_BYTES: Final = 1048576
# The column of a file's path, by a name that no source uses: one of its own would be read instead.
FILE: Final = "__cx_file"
READ_PLAINLY: Final = f"hive_partitioning = false, filename = '{FILE}'"
INTEGERS: Final = frozenset({"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"})
WIDE_INTEGERS: Final = frozenset({"BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT"})
FLOATS: Final = frozenset({"FLOAT", "DOUBLE"})
TIMESTAMPS: Final = frozenset({"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"})
TIMESTAMP_TZ: Final = "TIMESTAMP WITH TIME ZONE"
NUMBERS: Final = frozenset({"integer", "decimal", "double"})
NO_NAN: Final = "case when not isnan({0}) then {0} end"
# The same in JSON, where Python writes it bare and DuckDB reads it as text.
NO_NAN_TEXT: Final = "case when {0} <> 'NaN' then {0} end"
# Staging casts a double to a decimal; its text could be rounded to another one.
DECIMAL_TEXT: Final = "coalesce(cast(try_cast({0} as decimal(18, 6)) as varchar), {1})"
# What DuckDB says of a Parquet file that has none.
NO_COLUMN: Final = "Need at least one non-root column"
DECIMAL_WHOLE_DIGITS: Final = 12
DECIMAL_PLACES: Final = 6


@dataclass(frozen=True)
class LakeFile:
    """A file of the lake, the columns it holds (name and type there), and how else it is read."""

    table: Table
    path: Path
    columns: tuple[tuple[str, str], ...]
    options: str = ""

    @property
    def column_types(self) -> dict[str, tuple[str, str]]:
        """Lower-case column name to (name in the file, type in the file)."""
        return {name.lower(): (name, native) for name, native in self.columns}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _glob(path: Path) -> str:
    """Return a pattern that matches one file, whatever is in its name."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _decimal_fits(native: str) -> bool:
    """Whether any DECIMAL(p,s) value fits the contract's decimal without rounding."""
    precision, scale = (int(part) for part in native[8:-1].split(","))
    return scale <= DECIMAL_PLACES and precision - scale <= DECIMAL_WHOLE_DIGITS


def as_contract_type(native: str, declared: str) -> str | None:
    """Return an SQL pattern that gives a native value in the contract's type, if none can fail.

    Parameters
    ----------
    native
        DuckDB type of the column in the file.
    declared
        Type in the contract's words.

    Returns
    -------
    str or None
        Pattern with `{}` or `{0}` for the column; None where a value may not cast, or only through
        its text. Not-a-number is empty (data frames write it for missing values).
    """
    exact = {
        "string": {"VARCHAR"},
        "json": {"VARCHAR", "JSON"},
        "integer": INTEGERS | {"BIGINT"},
        # a FLOAT would show more digits than its text
        "double": INTEGERS,
        "boolean": {"BOOLEAN"},
        "timestamp": TIMESTAMPS,
        "date": {"DATE"},
        "decimal": INTEGERS,
    }
    if native == "DOUBLE" and declared == "double":
        return NO_NAN
    if native == NATIVE_TYPES[declared]:
        return "{}"
    if native == TIMESTAMP_TZ and declared == "timestamp":
        # as timezone(), which asks the calendar for each value: thirty times the time
        return (
            "case when isfinite({0}) then make_timestamp(epoch_us({0}))"
            " else timezone('UTC', {0}) end"
        )
    decimal_fits = declared == "decimal" and native.startswith("DECIMAL(") and _decimal_fits(native)
    if native in exact[declared] or decimal_fits:
        return f"cast({{}} as {NATIVE_TYPES[declared]})"
    return None


def as_text(native: str) -> str:
    """Return an SQL pattern that gives a native value as text, the same text whatever its file.

    Parameters
    ----------
    native
        DuckDB type of the column in the file.

    Returns
    -------
    str
        Pattern with `{}` for the column. Whole floats and decimals read as integers, times as UTC,
        not-a-number as empty (data frames write it for missing values).
    """
    if native == "VARCHAR":
        return "{}"
    if native in FLOATS:
        return (
            "case when isnan({0}) then null"
            " when isfinite({0}) and {0} = trunc({0}) and abs({0}) < 1e15"
            " then cast(cast({0} as bigint) as varchar) else cast({0} as varchar) end"
        )
    if native.startswith("DECIMAL("):
        return (
            "case when {0} = trunc({0}) then cast(cast({0} as hugeint) as varchar)"
            " else rtrim(cast({0} as varchar), '0') end"
        )
    if native == TIMESTAMP_TZ:
        return "cast(timezone('UTC', {0}) as varchar)"
    if native.endswith("]") or native.startswith(("STRUCT", "MAP", "UNION")):
        return "cast(to_json({0}) as varchar)"
    return "cast({0} as varchar)"


def _check_encoding(path: Path) -> None:
    """Raise where a text is not UTF-8: DuckDB counts its rows, and stumbles when it reads them."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 1
    with path.open("rb") as handle:
        for block in chain(iter(partial(handle.read, BLOCK_BYTES), b""), [b""]):
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                lines += error.object[: error.start].count(b"\n")
                message = f"line {lines} is not UTF-8"
                raise ValueError(message) from error
            lines += block.count(b"\n")


def _csv_columns(path: Path) -> tuple[tuple[str, str], ...]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = csv.reader(handle)
        header = next(rows, [])
        is_blank = not any(name.strip() for name in header)
        if is_blank and any(any(cell.strip() for cell in row) for row in rows):
            message = "its first line is blank instead of the names of the columns"
            raise ValueError(message)
    if is_blank:
        return ()
    # without a name: the index of a data frame, a comma at the end of the line
    names = [name.strip() or f"unnamed {place}" for place, name in enumerate(header, 1)]
    return tuple((name, "VARCHAR") for name in names)


def _json_columns(con: duckdb.DuckDBPyConnection, path: Path) -> tuple[tuple[str, str], ...]:
    rows = con.execute(
        "select distinct unnest("
        "case when json_type(json) = 'OBJECT' then json_keys(json) else [null] end"
        ") from read_ndjson_objects(?)",
        [_glob(path)],
    ).fetchall()
    if (None,) in rows:
        message = "a line of it is no JSON object"
        raise ValueError(message)
    return tuple(sorted((str(name), "VARCHAR") for (name,) in rows))


def _parquet_columns(con: duckdb.DuckDBPyConnection, path: Path) -> tuple[tuple[str, str], ...]:
    try:
        rows = con.execute(
            "describe select *"
            " from read_parquet(?, hive_partitioning = false, binary_as_string = true)",
            [_glob(path)],
        ).fetchall()
    except duckdb.InvalidInputException as error:
        # as a data frame without rows leaves it
        if NO_COLUMN not in str(error):
            raise
        return ()
    return tuple((str(row[0]), str(row[1])) for row in rows)


def _parquet_layouts(
    con: duckdb.DuckDBPyConnection, paths: Sequence[Path]
) -> dict[str, tuple[object, ...]]:
    """Return by path what the footers say of columns; nothing of files that cannot be read.

    One query reads many footers in the time in which DuckDB describes a few files.
    """
    try:
        rows = con.execute(
            "select file_name, columns(* exclude (file_name))"
            f" from parquet_schema({_path_list(paths)}) order by file_name, column_id"
        ).fetchall()
    except duckdb.Error:
        middle = len(paths) // 2
        if middle == 0:
            return {}
        return _parquet_layouts(con, paths[:middle]) | _parquet_layouts(con, paths[middle:])
    return {
        path: tuple(tuple(row[1:]) for row in of_file)
        for path, of_file in groupby(rows, key=itemgetter(0))
    }


def _check_names(columns: Sequence[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for name, _ in columns:
        if not name or name.lower() in seen:
            shown = f": '{seen[name.lower()]}' and '{name}'" if name else ""
            message = f"it has an empty or a repeated column name{shown}"
            raise ValueError(message)
        seen[name.lower()] = name


def _reason(error: Exception) -> str:
    """Return what DuckDB says as one line, without its options and without the data of the row."""
    said = without_data(str(error)).split("\nPossible ")[0]
    return " ".join(line for line in said.splitlines() if line).strip(" .")


def _count_rows(con: duckdb.DuckDBPyConnection, file: LakeFile) -> int:
    query = f"select count(*) from {_read_function('csv', [file])}"
    return int(con.execute(query).fetchall()[0][0])


def _readable_csv(con: duckdb.DuckDBPyConnection, file: LakeFile) -> LakeFile:
    """Return a file with the options that read it to its end.

    A reader that begins amid a text of several lines may take them for rows. The one that does not
    begin there says nothing of what it loses in a broken file, so its rows are counted otherwise.
    """
    try:
        _count_rows(con, file)
    except duckdb.Error:
        with file.path.open(encoding="utf-8-sig", newline="") as handle, suppress(csv.Error):
            widths = Counter(len(row) for row in csv.reader(handle, strict=True) if row)
            if set(widths) == {len(file.columns)}:
                serial = replace(file, options=", parallel = false")
                with suppress(duckdb.Error):
                    if _count_rows(con, serial) == widths.total() - 1:
                        return serial
                if isinstance(handle.newlines, tuple):
                    message = "it has mixed line endings; end all of its lines alike"
                    raise ValueError(message) from None
        raise
    return file


def _open_file(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    path: Path,
    raw_format: str,
    alike: LakeFile | None = None,
) -> LakeFile:
    """Look at a file's columns, and read text to its end: a broken line stops it here.

    A Parquet file with the layout of one that was looked at has its columns.
    """
    try:
        if alike:
            columns = alike.columns
        elif raw_format == "csv":
            _check_encoding(path)
            columns = _csv_columns(path)
        elif raw_format == "json":
            columns = _json_columns(con, path)
        else:
            columns = _parquet_columns(con, path)
        _check_names(columns)
        file = LakeFile(table, path, columns)
        if raw_format == "csv" and columns:
            file = _readable_csv(con, file)
    except (duckdb.Error, OSError, ValueError, csv.Error) as error:
        # a file that has vanished is not a wrong one
        path.stat()
        reason = _reason(error)
        message = f"cannot read {path} as {raw_format}: {reason}; put it right or take it away"
        raise CxError(message) from error
    return file


def _path_list(paths: Sequence[Path]) -> str:
    return "[" + ", ".join(_literal(_glob(path)) for path in paths) + "]"


def _read_function(raw_format: str, files: Sequence[LakeFile]) -> str:
    """Return the table function that reads files which have the same columns and types."""
    paths = _path_list([file.path for file in files])
    if raw_format == "parquet":
        return f"read_parquet({paths}, {READ_PLAINLY}, binary_as_string = true)"
    columns = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name, _ in files[0].columns)
    if raw_format == "json":
        return (
            f"read_json({paths}, format = 'newline_delimited', columns = {{{columns}}},"
            f" {READ_PLAINLY}, maximum_object_size = 67108864)"
        )
    return (
        f"read_csv({paths}, auto_detect = false, header = true, columns = {{{columns}}},"
        f" delim = ',', quote = '\"', escape = '\"', {READ_PLAINLY}{files[0].options})"
    )


def _groups(files: Iterable[LakeFile]) -> list[list[LakeFile]]:
    """Group files that can be read together: same names and types in the same order."""
    groups: dict[tuple[object, ...], list[LakeFile]] = defaultdict(list)
    for file in files:
        groups[file.columns, file.options].append(file)
    return list(groups.values())


def _common_type(column: Column, groups: Sequence[Sequence[LakeFile]]) -> str:
    """Return the SQL type in which a view can give a column: text where the files do not agree."""
    found = {
        group[0].column_types[column.name][1]
        for group in groups
        if column.name in group[0].column_types
    }
    if all(as_contract_type(native, column.data_type) for native in found):
        return NATIVE_TYPES[column.data_type]
    native = found.pop()
    if column.data_type in NUMBERS and not found and _is_exact_number(native):
        return native
    return "VARCHAR"


def _is_exact_number(native: str) -> bool:
    """Whether a number casts to what its text casts to; a FLOAT would show more digits."""
    return native == "DOUBLE" or native in WIDE_INTEGERS or native.startswith("DECIMAL(")


def _expression(native: str, column: Column, target: str) -> str:
    """Return an SQL pattern that gives a native value of a column in the type of the view."""
    if target == NATIVE_TYPES[column.data_type]:
        pattern = as_contract_type(native, column.data_type)
        if pattern:
            return pattern
    if target == "VARCHAR" and native == "DOUBLE" and column.data_type in {"integer", "decimal"}:
        return DECIMAL_TEXT.format("{0}", as_text(native))
    if target == "VARCHAR":
        return as_text(native)
    return NO_NAN if native == "DOUBLE" else "{}"


def _select(
    columns: Sequence[tuple[Column, str]], group: Sequence[LakeFile], raw_format: str
) -> str:
    """Return the select of one group of files; columns come with their type in the view."""
    source = _read_function(raw_format, group)
    types = group[0].column_types
    expressions = []
    for column, target in columns:
        if column.name in types:
            name, found = types[column.name]
            pattern = NO_NAN_TEXT if raw_format == "json" else _expression(found, column, target)
            expression = pattern.format(_quoted(name))
        else:
            expression = f"cast(null as {target})"
        expressions.append(f"{expression} as {_quoted(column.name)}")
    return f"select {', '.join(expressions)}, {FILE} as _file from {source}"


def _table_view(table: Table, files: Sequence[LakeFile], raw_format: str) -> str:
    groups = _groups(files)
    columns = [(column, _common_type(column, groups)) for column in table.columns]
    if not groups:
        empty = ", ".join(
            f"cast(null as {NATIVE_TYPES[column.data_type]}) as {_quoted(column.name)}"
            for column in table.columns
        )
        return f"select {empty}, cast(null as varchar) as _file where false"
    return " union all ".join(_select(columns, group, raw_format) for group in groups)


def _drift_rows(table: Table, files: Sequence[LakeFile], raw_format: str) -> list[str]:
    """Return selects of schema_drift: unknown columns by file group, columns that no file has."""
    known = {column.name for column in table.columns}
    selects = []
    for group in _groups(files):
        unknown = [name for name, _ in group[0].columns if name.lower() not in known]
        selects += [
            f"select {_literal(table.source)}, {_literal(table.name)}, {_literal(name.lower())},"
            f" 'unknown_column', count({_quoted(name)}) from {_read_function(raw_format, group)}"
            for name in unknown
        ]
    found = {name.lower() for file in files for name, _ in file.columns}
    missing = [] if not files else [name for name in sorted(known - found) if name[0] != "_"]
    selects += [
        f"select {_literal(table.source)}, {_literal(table.name)}, {_literal(name)},"
        f" 'missing_column', count(*) from raw_{table.source}.{table.name}"
        for name in missing
    ]
    return selects


def _check_required(file: LakeFile) -> None:
    missing = [name for name in file.table.required_columns if name not in file.column_types]
    if missing:
        message = (
            f"{file.path} lacks the required column {missing[0]}"
            f" of {file.table.source}.{file.table.name}"
        )
        raise CxError(message)


def _content_hash(path: Path, size: int) -> str:
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as handle:
        digest.update(handle.read(HASHED_BYTES))
        if size > HASHED_BYTES:
            handle.seek(max(HASHED_BYTES, size - HASHED_BYTES))
            digest.update(handle.read(HASHED_BYTES))
    return digest.hexdigest()


def _stop_at_folder(error: OSError) -> NoReturn:
    """Stop where a folder does not list: its files would count as taken away."""
    message = (
        f"cannot list the folder {error.filename} ({error.strerror});"
        " let this user read it, or take it away"
    )
    raise CxError(message) from error


def _is_aside(folder: str) -> bool:
    """Whether a writer keeps what is unfinished there; `_loaded_at=...` is a partition."""
    return folder.startswith(".") or (folder.startswith("_") and "=" not in folder)


def _find_files(folder: Path, ending: str) -> list[Path]:
    """Return a table's files in order, those behind links to folders as well.

    A folder to which several ways lead is read once, a real one under its own name.
    """
    found: list[Path] = []
    entered: set[Path] = set()
    starts = [folder] if os.path.lexists(folder) else []
    for start in starts:
        for place, folders, names in os.walk(start, onerror=_stop_at_folder):
            parent = Path(place)
            if parent.resolve() in entered:
                folders.clear()
                continue
            entered.add(parent.resolve())
            folders[:] = [name for name in sorted(folders) if not _is_aside(name)]
            starts += [parent / name for name in folders if (parent / name).is_symlink()]
            found += [
                parent / name
                for name in names
                if name.lower().endswith(ending) and not name.startswith(".")
            ]
    return sorted(path for path in found if path.is_file())


def list_files(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[LakeFile]:
    """Find the files of all tables and the columns they hold.

    Parameters
    ----------
    con
        Connection used to read headers and footers; nothing is written.
    settings
        Where the lake is and in which format.

    Returns
    -------
    list of LakeFile
        Sorted by table and path. Files without a byte, a header of CSV or a row of JSON are left
        out, and what writers hide or keep aside (`.name`, `_temporary/`).

    Raises
    ------
    CxError
        If a folder or a file cannot be read or a file lacks a required column, or no file of
        storefront.orders exists.
    """
    ending = RAW_FORMATS[settings.raw_format]
    files = []
    for table in raw_tables():
        folder = settings.raw_path / table.source / table.name
        paths = [
            path
            for path in _find_files(folder, ending)
            if ending == ".parquet" or path.stat().st_size > 0
        ]
        layouts = _parquet_layouts(con, paths) if paths and ending == ".parquet" else {}
        seen: dict[tuple[object, ...] | None, LakeFile] = {}
        for path in paths:
            layout = layouts.get(str(path))
            file = _open_file(con, table, path, settings.raw_format, seen.get(layout))
            if layout:
                seen[layout] = file
            if file.columns:
                _check_required(file)
                files.append(file)
    if not any((file.table.source, file.table.name) == ("storefront", "orders") for file in files):
        message = (
            f"no {ending} file with orders below {settings.raw_path / 'storefront' / 'orders'}:"
            " storefront.orders is the one table that a lake must have"
        )
        raise CxError(message)
    return files


def _register_files(
    con: duckdb.DuckDBPyConnection, files: Sequence[LakeFile], settings: Settings
) -> None:
    rows = []
    for file in files:
        status = file.path.stat()
        modified = datetime.fromtimestamp(status.st_mtime, UTC).replace(tzinfo=None)
        relative = file.path.relative_to(settings.raw_path).as_posix()
        content = _content_hash(file.path, status.st_size)
        rows.append(
            {
                "source_name": file.table.source,
                "table_name": file.table.name,
                "path": relative,
                "location": str(file.path),
                "size_bytes": status.st_size,
                "modified_at": modified.isoformat(),
                "content_hash": content,
            }
        )
    con.execute(
        "create or replace table raw_lake.files as select entry ->> 'source_name' as source_name,"
        " entry ->> 'table_name' as table_name, entry ->> 'path' as path,"
        " entry ->> 'location' as location,"
        " cast(entry ->> 'size_bytes' as bigint) as size_bytes,"
        " cast(entry ->> 'modified_at' as timestamp) as modified_at,"
        " entry ->> 'content_hash' as content_hash"
        " from (select unnest(cast(cast($rows as json) as json[])) as entry)",
        {"rows": json.dumps(rows)},
    )


def _create_views(
    con: duckdb.DuckDBPyConnection, by_table: Mapping[Table, Sequence[LakeFile]], raw_format: str
) -> None:
    for schema in ("lake", *sorted({table.source for table in by_table})):
        con.execute(f"create schema if not exists raw_{schema}")
    drift = []
    for table, own in by_table.items():
        body = _table_view(table, own, raw_format)
        con.execute(f"create or replace view raw_{table.source}.{table.name} as {body}")
        drift += _drift_rows(table, own, raw_format)
    names = "source_name, table_name, column_name, drift_kind, row_count"
    text = "null::varchar"
    empty = f"select {text}, {text}, {text}, {text}, null::bigint where false"
    body = " union all ".join([empty, *drift])
    con.execute(f"create or replace view raw_lake.schema_drift ({names}) as {body}")


@contextmanager
def _lake_at_rest(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Leave nothing behind, and say so, where a file changes while the lake is registered."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        # without a transaction there is nothing to undo
        with suppress(duckdb.Error):
            con.execute("rollback")
        message = (
            f"cannot register the lake: {_reason(error)}; if a file changed or vanished while it"
            " was read, run again when its writer has finished"
        )
        raise CxError(message) from error


def register_lake(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Create the views of the raw tables, and in `raw_lake` the table `files` and `schema_drift`.

    Nothing is copied: a query on a view reads the columns it needs from the files.

    Parameters
    ----------
    con
        Open connection to the file that will hold the views.
    settings
        Where the lake is and in which format.

    Raises
    ------
    CxError
        If a folder or a file cannot be read, a file lacks a required column or goes away meanwhile,
        or no file of storefront.orders exists.
    """
    with _lake_at_rest(con):
        files = list_files(con, settings)
        by_table: dict[Table, list[LakeFile]] = {table: [] for table in raw_tables()}
        for file in files:
            by_table[file.table].append(file)
        con.execute("begin")
        _create_views(con, by_table, settings.raw_format)
        _register_files(con, files, settings)
        con.execute("commit")
