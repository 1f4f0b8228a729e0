"""Run the models from staged events to sessions and funnels, as dbt compiled them, in DuckDB."""

from __future__ import annotations

import argparse
import json
import runpy
import time
from pathlib import Path
from typing import Any

import duckdb

from cx_warehouse.run_state import create_run_state

# What the models read besides each other: a view on the Parquet files, by relation.
INPUTS = {
    "staging.stg_web__events": "select *, 'staged' as row_bucket from {events}",
    "staging.stg_email__email_events": (
        "select *, 'staged' as row_bucket, 'clicked' as event_type from {clicks}"
    ),
    "intermediate.int_orders_converted": "from {orders}",
    "intermediate.int_identifiers_resolved": "from {identifiers}",
    "intermediate.int_settings": "from {settings}",
    "intermediate.int_orders_netted": "from {orders}",
}
SEEDS = (
    "channel_rules",
    "funnel_steps",
    "identity_exclusions",
    "intent_rules",
    "micro_conversions",
    "traffic_sources",
)
SCHEMAS = ("staging", "intermediate", "marts", "seeds")


def view(connection: duckdb.DuckDBPyConnection, relation: str, inputs: Path) -> None:
    """Make a view on Parquet files."""
    files = {path.stem: f"'{path}'" for path in inputs.glob("*.parquet")}
    query = INPUTS.get(relation, "from {" + relation.rpartition(".")[2] + "}")
    connection.execute(f"create view {relation} as {query.format_map(files)}")


def create(connection: duckdb.DuckDBPyConnection, what: str, file: Path) -> None:
    """Make a model a table or a view, from its SQL or from what its Python returns."""
    if file.suffix == ".sql":
        connection.execute(f"create {what} as ({file.read_text()})")
        return
    code = runpy.run_path(str(file))
    dbt = code["dbtObj"](lambda name: connection.sql(f"select * from {name}"))
    connection.register("returned", code["model"](dbt, connection))
    connection.execute(f"create {what} as from returned")


def run(inputs: Path, outputs: Path) -> dict[str, Any]:
    """Make every model a table.

    Parameters
    ----------
    inputs
        Folder of the Parquet files and of `models.json`: relation, kind and compiled file of each,
        in order.
    outputs
        Folder to create; gets build.duckdb, since the compiled SQL names the database.

    Returns
    -------
    dict of str to Any
        Seconds in all, from opening the file to its checkpoint, processor seconds of all threads,
        and seconds of each model.
    """
    outputs.mkdir()
    models = json.loads((inputs / "models.json").read_text())
    started, used = time.perf_counter(), time.process_time()
    seconds = {}
    settings = {"preserve_insertion_order": "false"}
    with duckdb.connect(outputs / "build.duckdb", config=settings) as connection:
        connection.execute("set timezone = 'UTC'")
        for schema in SCHEMAS:
            connection.execute(f"create schema {schema}")
        for relation in (*INPUTS, *(f"seeds.{name}" for name in SEEDS)):
            view(connection, relation, inputs)
        create_run_state(connection)
        for relation, kind, file in models:
            before = time.perf_counter()
            create(connection, f"{kind} {relation}", Path(file))
            seconds[relation] = time.perf_counter() - before
        connection.execute("checkpoint")
    return {
        "seconds": time.perf_counter() - started,
        "processor_seconds": time.process_time() - used,
        "models": seconds,
    }


def main() -> None:
    """Read the command line and print the seconds as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", type=Path)
    parser.add_argument("outputs", type=Path)
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.inputs, arguments.outputs)))


if __name__ == "__main__":
    main()
