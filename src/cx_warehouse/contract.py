"""The raw contract as Python objects, read from the sources' YAML that alone declares it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import yaml

from cx_warehouse.settings import PROJECT_ROOT

STAGING: Final = PROJECT_ROOT / "models" / "staging"
LOADED_AT: Final = "_loaded_at"

# The contract's words for types, and what DuckDB calls them.
NATIVE_TYPES: Final = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "decimal": "DECIMAL(18,6)",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "json": "VARCHAR",
}


@dataclass(frozen=True)
class Column:
    """A column of a raw table: its type in the contract's words, and whether rows must have it."""

    name: str
    data_type: str
    required: bool


@dataclass(frozen=True)
class Table:
    """A raw table of the contract."""

    source: str
    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def required_columns(self) -> tuple[str, ...]:
        """Names of the columns that every file must have."""
        return tuple(column.name for column in self.columns if column.required)


def _table(source: str, declared: dict[str, Any]) -> Table:
    columns = tuple(
        Column(
            column["name"],
            column["data_type"],
            bool(column.get("config", {}).get("meta", {}).get("required", False)),
        )
        for column in declared["columns"]
    )
    key = tuple(declared["config"]["meta"]["key"])
    return Table(source, declared["name"], key, (*columns, Column(LOADED_AT, "timestamp", False)))  # noqa: FBT003


@cache
def raw_tables() -> tuple[Table, ...]:
    """Return all tables of the raw contract, `_loaded_at` included in each.

    Returns
    -------
    tuple of Table
        In the order of the sources' files.
    """
    tables = []
    for path in sorted(STAGING.glob("*/_*__sources.yml")):
        for source in yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["sources"]:
            tables += [_table(source["name"], declared) for declared in source["tables"]]
    return tuple(tables)
