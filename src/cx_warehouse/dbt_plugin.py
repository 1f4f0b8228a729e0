"""Plugin of dbt-duckdb: prepares the folder, registers the lake, and keeps the key out of compiled SQL."""

from __future__ import annotations

from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError
from duckdb import DuckDBPyConnection

from cx_warehouse.lake import register_lake
from cx_warehouse.settings import CxError, Settings


class Plugin(BasePlugin):  # type: ignore[misc]
    """What every connection of dbt to the build file needs."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002
        """Read the settings and create the warehouse's folder, before DuckDB opens a file in it."""
        try:
            self.settings = Settings.from_environment()
            self.settings.create_warehouse_dir()
        except CxError as error:
            raise DbtRuntimeError(str(error)) from error

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Register the lake as views, so that every command finds its sources."""
        conn.execute("set timezone = 'UTC'")
        try:
            register_lake(conn, self.settings)
        except CxError as error:
            raise DbtRuntimeError(str(error)) from error

    def configure_cursor(self, cursor: DuckDBPyConnection) -> None:
        """Hand the key to SQL as a variable: env_var() would leave it in manifests and logs."""
        cursor.execute("set variable cx_pii_key = ?", [self.settings.pii_key])
