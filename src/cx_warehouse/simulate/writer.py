"""Writes Parquet files whose bytes depend on the rows alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

ROW_GROUP_ROWS: Final = 200_000
COMPRESSION_LEVEL: Final = 3


def _settings(schema: pa.Schema) -> dict[str, Any]:
    """Choose encodings: times and ids run on, so they are stored as differences."""
    encodings = {}
    for field in schema:
        if pa.types.is_string(field.type) and field.name.endswith("_id"):
            encodings[field.name] = "DELTA_BYTE_ARRAY"
        elif pa.types.is_timestamp(field.type) and field.name != "_loaded_at":
            encodings[field.name] = "DELTA_BINARY_PACKED"
    return {
        "compression": "zstd",
        "compression_level": COMPRESSION_LEVEL,
        "use_dictionary": [name for name in schema.names if name not in encodings],
        "column_encoding": encodings or None,
        "store_schema": False,
        "store_decimal_as_integer": True,
    }


def write_table(path: Path, table: pa.Table) -> None:
    """Write one file, its folder included.

    Parameters
    ----------
    path
        Where to.
    table
        What; dictionaries become plain columns.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=ROW_GROUP_ROWS, **_settings(table.schema))


class TruthWriter:
    """Appends to one file for each table of the truth, a row group at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, pq.ParquetWriter] = {}
        self.rows: dict[str, int] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def append(self, name: str, table: pa.Table) -> None:
        """Append rows to a table of the truth."""
        if name not in self.files:
            path = self.folder / f"{name}.parquet"
            self.files[name] = pq.ParquetWriter(path, table.schema, **_settings(table.schema))
        self.files[name].write_table(table, row_group_size=ROW_GROUP_ROWS)
        self.rows[name] = self.rows.get(name, 0) + table.num_rows

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all files."""
        for file in self.files.values():
            file.close()
