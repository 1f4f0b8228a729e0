"""A seed column without a type is guessed by dbt from the rows that happen to be there."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
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


@pytest.mark.parametrize(
    ("user_agent", "is_excluded"),
    [
        ("Mozilla/5.0 (compatible; bingbot/2.0)", True),
        ("YandexBot/3.0", True),
        ("bot", True),
        ("Mozilla/5.0 (Linux; Android 9; CUBOT NOTE 7) Chrome/120 Mobile Safari/537.36", False),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Safari/604.1", False),
    ],
)
def test_crawlers_are_told_from_telephones(user_agent: str, *, is_excluded: bool) -> None:
    query = (
        "select bool_or(regexp_matches($agent, pattern, 'i'))"
        f" from read_csv('{SEEDS / 'traffic_rules.csv'}') where field = 'user_agent'"
    )
    assert duckdb.execute(query, {"agent": user_agent}).fetchone() == (is_excluded,)
