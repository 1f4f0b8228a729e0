"""Plugin of dbt-duckdb: makes the folder, registers the lake, keeps the key out of compiled SQL."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError

from cx_warehouse.lake import register_lake
from cx_warehouse.quality.gates import in_use_message
from cx_warehouse.run_state import create_run_state
from cx_warehouse.settings import DEMO_PII_KEY, CxError, Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Of the memory limit. The rest is for what is no block, and what Python takes comes on top of both.
BLOCKS_SHARE: Final = "40%"
# Python's garbage is looked for when so many objects have come.
NEW_OBJECTS: Final = 50_000


def _check_build_file(settings: Settings, config: dict[str, Any]) -> None:
    """Open the build file once, since dbt answers a file that it cannot open with a traceback."""
    try:
        duckdb.connect(settings.build_path, config=config).close()
    except duckdb.IOException as error:
        reason = str(error).splitlines()[0]
        message = f"CX_WAREHOUSE_DIR: {settings.build_path} does not open; move it away ({reason})"
        if "PID" in reason:
            message = f"CX_WAREHOUSE_DIR: {in_use_message(settings, error)}"
        raise CxError(message) from error
    except duckdb.ParserException as error:
        limit = config.get("memory_limit")
        message = f"CX_MEMORY_LIMIT: '{limit}' is no size; write for example 8GB"
        raise CxError(message) from error


def _keep_blocks(con: DuckDBPyConnection) -> None:
    """Let DuckDB keep memory for its blocks instead of asking for every one of them anew.

    A thirtieth of the time of a large build went into pages that were given back and asked for
    again. What is kept is a share of the memory limit; where that is more than the machine has,
    DuckDB refuses, and goes on as it does by itself.

    Parameters
    ----------
    con
        Open connection, before it has read much.
    """
    with suppress(duckdb.InvalidInputException):
        con.execute(f"set global block_allocator_memory = '{BLOCKS_SHARE}'")


def _give_back_memory() -> None:
    """Give back what the last model in Python has freed: it is none of what DuckDB limits."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _collect_seldom() -> None:
    """Look for garbage less often, and not among what is there.

    dbt's graph stays to the end: to go through it again and again took a twelfth of a small build.
    """
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, 20, 20)


class Plugin(BasePlugin):  # type: ignore[misc]
    """What every connection of dbt to the build file needs."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002
        """Read the settings and create the warehouse's folder, before DuckDB opens a file in it."""
        # Before a model loads NumPy: fits solve systems of ten equations, for which waking threads
        # takes longer than solving.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        _collect_seldom()
        try:
            self.settings = Settings.from_environment()
            self.settings.create_warehouse_dir()
        except CxError as error:
            raise DbtRuntimeError(str(error)) from error
        # Who names the demo key, as `cx` does when it has warned, knows.
        if self.settings.key_warning and os.environ.get("CX_PII_KEY") != DEMO_PII_KEY:
            print(self.settings.key_warning, file=sys.stderr)

    def update_connection_config(
        self,
        creds: Any,  # noqa: ARG002, ANN401 (the adapter's signature)
        config: dict[str, Any],
    ) -> None:
        """Look at the build file just before dbt opens it, with the same settings."""
        try:
            _check_build_file(self.settings, config)
        except CxError as error:
            raise DbtRuntimeError(str(error)) from error

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Register the lake as views, so that every command finds its sources."""
        conn.execute("set timezone = 'UTC'")
        _keep_blocks(conn)
        try:
            register_lake(conn, self.settings)
            create_run_state(conn)
        except CxError as error:
            raise DbtRuntimeError(str(error)) from error

    def configure_cursor(self, cursor: DuckDBPyConnection) -> None:
        """Hand the key to SQL as a variable: env_var() would leave it in manifests and logs."""
        _give_back_memory()
        cursor.execute("set variable cx_pii_key = ?", [self.settings.pii_key])
