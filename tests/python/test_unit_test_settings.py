"""A unit test states a rule under given settings: a shop that sets its own must not break it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from conftest import PROJECT

SETTINGS = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]
# Models that a unit test can run read none of these.
ELSEWHERE = {
    "latest_plausible_at",
    "marketing_parameters",
    "quarantine_share_max",
    # the models' own, in Python
    "clv_model",
    "clv_horizon_months",
    "clv_group_min_customers",
    "clv_shrinkage_orders",
    "journey_silence_days",
}
# Settings of few models alone: the others need not state them.
READ_BY = {
    "earliest_plausible_at": {"dim_dates"},
    "repeat_contact_days": {"fct_support_tickets"},
    "nps_answer_window_days": {"fct_nps_responses"},
    "time_decay_half_life_days": {"int_order_credits"},
    "position_based_end_share": {"int_order_credits"},
    "clv_monthly_discount_rate": {"int_first_order_values"},
    "clv_group_by": {"int_clv_customers", "int_customer_states"},
    "value_tier_top_share": {"int_customer_scores"},
    "value_tier_next_share": {"int_customer_scores"},
    "clv_backtest_days": {"int_clv_days"},
    "micro_conversion_min_sessions": {"fct_micro_conversion_value"},
}
UNIT_TESTS = [
    test
    for file in sorted((PROJECT / "models").rglob("_*__unit_tests.yml"))
    for test in yaml.safe_load(file.read_text())["unit_tests"]
]


@pytest.mark.parametrize("test", UNIT_TESTS, ids=lambda test: test["name"])
def test_a_unit_test_states_every_setting(test: dict[str, Any]) -> None:
    stated = test.get("overrides", {}).get("vars", {})
    of_others = {name for name, models in READ_BY.items() if test["model"] not in models}
    assert set(SETTINGS) - ELSEWHERE - of_others <= set(stated)


@pytest.mark.parametrize("setting", READ_BY)
def test_a_setting_of_few_models_is_read_nowhere_else(setting: str) -> None:
    readers = {
        file.stem
        for file in (PROJECT / "models").rglob("*.sql")
        if f"var('{setting}')" in file.read_text()
    }
    assert readers == READ_BY[setting]
