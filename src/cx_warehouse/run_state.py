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
    "models/staging/**/*__sources.yml",
    "src/cx_warehouse/lake.py",
)
TABLES: Final = {
    "runs": (
        "run_number bigint, started_at timestamp, finished_at timestamp, is_full_refresh boolean,"
        " reasons varchar, rules varchar, code_hash varchar, is_as_of_given boolean,"
        " as_of timestamp"
    ),
    "files": "path varchar, size_bytes bigint, modified_at timestamp, run_number bigint",
    "touched": "entity varchar, entity_key varchar, model_name varchar",
    "rewrites": (
        "run_number bigint, model_name varchar, deleted_rows bigint, inserted_rows bigint,"
        " total_rows bigint"
    ),
}


def code_hash() -> str:
    """Return a hash of the code that reads and judges raw rows."""
    digest = hashlib.sha256()
    for pattern in CODE:
        for path in sorted(PROJECT_ROOT.glob(pattern)):
            digest.update(path.relative_to(PROJECT_ROOT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def create_run_state(con: DuckDBPyConnection) -> None:
    """Create what is missing of schema `ops`, and note the code that will run.

    Parameters
    ----------
    con
        Open connection to the build file.
    """
    con.execute("begin")
    con.execute("create schema if not exists ops")
    for name, columns in TABLES.items():
        con.execute(f"create table if not exists ops.{name} ({columns})")
    con.execute("create or replace table ops.code as select ? as code_hash", [code_hash()])
    con.execute("commit")
