"""What incremental runs remember: schema `ops` of the build file.

The macros in `macros/incremental/` read and write it; `docs/incremental.md` explains it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from cx_warehouse.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Whatever gives a raw row its staged form, beside the models' own SQL.
CODE: Final = (
    "macros/**/*.sql",
    "models/**/*.py",
    "src/cx_warehouse/carts/*.py",
    "src/cx_warehouse/funnels/*.py",
    "src/cx_warehouse/keys.py",
    "src/cx_warehouse/streams.py",
    "models/staging/**/*__sources.yml",
    "src/cx_warehouse/contract.py",
    "src/cx_warehouse/lake.py",
    # a table, but what touched models read of it is no difference that it hands on
    "models/intermediate/settings/*.sql",
    "seeds/*.yml",
)
# dbt tells seeds above this size by their path; the list of exclusions is data.
SEED_BYTES_THAT_DBT_HASHES: Final = 1024 * 1024
SEEDS_OF_DATA: Final = frozenset({"identity_exclusions.csv"})
TABLES: Final = {
    "runs": (
        "run_number BIGINT, started_at TIMESTAMP, finished_at TIMESTAMP, is_full_refresh BOOLEAN,"
        " reasons VARCHAR, rules VARCHAR, code_hash VARCHAR, is_as_of_given BOOLEAN,"
        " as_of TIMESTAMP, is_whole BOOLEAN"
    ),
    "files": "path VARCHAR, size_bytes BIGINT, modified_at TIMESTAMP, run_number BIGINT",
    "seeds": "seed_name VARCHAR, checksum VARCHAR",
    "touched": "entity VARCHAR, entity_key VARCHAR, model_name VARCHAR",
    "rewrites": (
        "run_number BIGINT, model_name VARCHAR, deleted_rows BIGINT, inserted_rows BIGINT,"
        " total_rows BIGINT"
    ),
}


def code_hash() -> str:
    """Return a hash of the code that reads and judges raw rows, and of seeds too large for dbt."""
    digest = hashlib.sha256()
    paths = [path for pattern in CODE for path in sorted(PROJECT_ROOT.glob(pattern))]
    paths += [
        path
        for path in sorted(PROJECT_ROOT.glob("seeds/*.csv"))
        if path.stat().st_size > SEED_BYTES_THAT_DBT_HASHES and path.name not in SEEDS_OF_DATA
    ]
    for path in paths:
        digest.update(path.relative_to(PROJECT_ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def create_run_state(con: DuckDBPyConnection) -> None:
    """Create schema `ops` where it is missing or of another version; note the code that will run.

    A new schema knows of no run, so that the next one builds everything.

    Parameters
    ----------
    con
        Open connection to the build file.
    """
    found = con.execute(
        "select table_name, string_agg(column_name || ' ' || data_type, ', ' order by column_index)"
        " from duckdb_columns() where schema_name = 'ops' and database_name = current_database()"
        " group by all"
    ).fetchall()
    con.execute("begin")
    if dict(found) | TABLES != dict(found):
        con.execute("drop schema if exists ops cascade")
        con.execute("create schema ops")
        for name, columns in TABLES.items():
            con.execute(f"create table ops.{name} ({columns})")
    con.execute("create or replace table ops.code as select ? as code_hash", [code_hash()])
    con.execute("commit")


def touched(con: DuckDBPyConnection, entity: str, key: str) -> str:
    """Return what the macro of this name gives to SQL models, for one in Python.

    Only one step may touch the entity, and it must stand above the model: a Python model reads in a
    transaction of its own.

    Parameters
    ----------
    con
        Open connection to the build file.
    entity
        Kind of entity, as in `meta.emits` of the step above.
    key
        Column of the relation that is read.

    Returns
    -------
    str
        Condition: rows of entities that this run touches, in a full refresh all of them.
    """
    found = con.execute(
        "select coalesce(max_by(is_full_refresh, run_number), true) from ops.runs"
    ).fetchone()
    if found is None or found[0]:
        return "true"
    return f"{key} in (select entity_key from ops.touched where entity = '{entity}')"
