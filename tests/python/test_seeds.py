"""A seed column without a type is guessed by dbt from the rows that happen to be there."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
DESCRIBED = {
    seed["name"]: seed
    for file in SEEDS.rglob("*.yml")
    for seed in yaml.safe_load(file.read_text()).get("seeds", [])
}
FILES = sorted(SEEDS.rglob("*.csv"))


def header(file):
    with file.open(newline="", encoding="utf-8") as lines:
        return next(csv.reader(lines))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_column_of_a_seed_is_typed_and_described(file):
    seed = DESCRIBED[file.stem]
    assert header(file) == list(seed["config"]["column_types"])
    assert header(file) == [column["name"] for column in seed["columns"]]
    assert all(column.get("description") for column in seed["columns"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_row_of_a_seed_has_a_value_for_each_column(file):
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    assert {len(row) for row in rows} == {len(rows[0])}
