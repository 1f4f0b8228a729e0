"""Make the demo lake: a simulated shop, and beside it the rows of one customer written by hand."""

from __future__ import annotations

import shutil
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from cx_warehouse.settings import DEMO_RAW_PATH, CxError
from cx_warehouse.simulate import Config, simulate
from cx_warehouse.simulate.writer import write_table

SHOP: Final = Config(customers=1_500, days=365, seed=1)
STORY: Final = Path(__file__).with_name("story.yml")
HAND_WRITTEN: Final = "part-hand-written.parquet"

Rows = list[dict[str, Any]]


class StoryLoader(yaml.SafeLoader):
    """Reads amounts as decimals."""


StoryLoader.add_constructor(
    "tag:yaml.org,2002:float", lambda loader, node: Decimal(loader.construct_scalar(node))
)


def read_story() -> dict[str, Rows]:
    """Read the rows of the story by raw table, those of a table in the order of the scenes."""
    tables: dict[str, Rows] = defaultdict(list)
    for scene in yaml.load(STORY.read_text(), Loader=StoryLoader)["scenes"]:  # noqa: S506 - it is a safe one
        for table, rows in scene.items():
            if table != "scene":
                tables[table] += rows
    return tables


def add_rows(folder: Path, rows: Rows) -> None:
    """Write rows as one more file of a raw table, in the columns and types of its first one.

    Parameters
    ----------
    folder
        Folder of the table.
    rows
        What a row does not name is null.

    Raises
    ------
    CxError
        If a row names a column that the table does not have.
    """
    [first] = (path for path in folder.iterdir() if path.stem in {"part-00000", "part-all"})
    schema = pq.read_schema(first)
    if unknown := {name for row in rows for name in row} - set(schema.names):
        message = f"{STORY}: {folder.name} has no column {', '.join(sorted(unknown))}"
        raise CxError(message)
    write_table(folder / HAND_WRITTEN, pa.Table.from_pylist(rows, schema=schema))


def make_demo(out: Path) -> None:
    """Write the demo lake; what `out` held before is gone."""
    with TemporaryDirectory() as folder:
        lake = simulate(SHOP, Path(folder)).lake
        for table, rows in read_story().items():
            add_rows(lake.joinpath(*table.split(".")), rows)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(lake, out)


if __name__ == "__main__":
    make_demo(DEMO_RAW_PATH)
