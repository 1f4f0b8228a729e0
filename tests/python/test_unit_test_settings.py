"""A unit test states a rule under given settings: a shop that sets its own must not break it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from conftest import PROJECT

SETTINGS = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]
# Models that a unit test can run read none of these.
ELSEWHERE = {
    "earliest_plausible_at",
    "latest_plausible_at",
    "marketing_parameters",
    "quarantine_share_max",
}
UNIT_TESTS = [
    test
    for file in sorted((PROJECT / "models").rglob("_*__unit_tests.yml"))
    for test in yaml.safe_load(file.read_text())["unit_tests"]
]


@pytest.mark.parametrize("test", UNIT_TESTS, ids=lambda test: test["name"])
def test_a_unit_test_states_every_setting(test: dict[str, Any]) -> None:
    stated = test.get("overrides", {}).get("vars", {})
    assert set(SETTINGS) - ELSEWHERE <= set(stated)
