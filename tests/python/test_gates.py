from __future__ import annotations

import os
import re
import socket
from typing import TYPE_CHECKING

import duckdb
import pytest

from cx_warehouse.quality.gates import (
    check_marts,
    check_raw,
    quarantine_share_max,
    read_catalog,
)
from cx_warehouse.quality.marts_suites import KEYS, RULES, marts_suites, unchecked
from cx_warehouse.quality.results import GateError, read_result
from cx_warehouse.quality.rules import KeyRule, QueryRule, Rule, counting
from cx_warehouse.settings import PROJECT_ROOT, CxError, Settings
from small_build import ORDERS, small_settings, write_build, write_orders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST_TWO = "where order_id in ('o-1', 'o-2')"

# What is broken, and what the message must say about it.
BROKEN = {
    "repeated key": (
        "insert into marts.fct_orders from marts.fct_orders where order_id <> 'o-4'",
        r"marts\.fct_orders: rule key_is_unique \(order_id\) is broken 3 times.* o-1, o-2, o-3",
    ),
    "null key": (
        "insert into marts.fct_refunds values (null, 'o-1', 0)",
        r"marts\.fct_refunds: rule key_is_unique \(refund_id\) is broken 1 time, .* null",
    ),
    "net sales": (
        "update marts.fct_orders set net_sales = net_sales + 0.01 where order_id = 'o-1'",
        r"fct_orders: rule net_sales_is_gross_less_discount is broken 1 time, for instance o-1",
    ),
    "net revenue without shipping": (
        f"update marts.fct_orders set net_revenue = net_revenue - shipping_amount {FIRST_TWO}",
        r"net_revenue_is_net_sales_less_refunds_plus_charges is broken 2 times.* o-1, o-2",
    ),
    "margin": (
        "update marts.fct_orders set contribution_margin = 99 where order_id = 'o-3'",
        r"margin_is_revenue_less_costs is broken 1 time, for instance o-3",
    ),
    "unknown cost": (
        "update marts.fct_orders set cost_quality = 'unknown' where order_id = 'o-3'",
        r"margin_is_null_where_cost_is_unknown \(.*\) is broken 1 time, for instance o-3",
    ),
    "lost person": (
        "delete from marts.dim_persons where person_id in ('p-2', 'p-3')",
        r"fct_orders: rule person_id_is_in_dim_persons \(person_id\) is broken 2 times.* p-2, p-3",
    ),
    "doubled movement": (
        (
            "insert into marts.fct_sales_movements"
            " select 'm-2', * exclude movement_id from marts.fct_sales_movements"
            " where movement_id = 'm-o-3'"
        ),
        r"fct_sales_movements: rule movements_add_up_to_their_order is broken 1 time.* o-3",
    ),
    "cancellation that leaves money": (
        "delete from marts.fct_sales_movements where movement_kind = 'cancellation'",
        r"movements_add_up_to_their_order is broken 1 time, for instance o-4",
    ),
    "order without movements": (
        "delete from marts.fct_sales_movements where order_id = 'o-1'",
        r"movements_add_up_to_their_order is broken 1 time, for instance o-1",
    ),
    "lost line": (
        "update marts.fct_order_items set gross_sales = 1, net_sales = 0 where order_id = 'o-1'",
        r"fct_order_items: rule lines_add_up_to_their_order is broken 1 time, for instance o-1",
    ),
    "line without order": (
        "update marts.fct_order_items set order_id = 'o-9' where order_id = 'o-1'",
        r"fct_order_items: rule order_id_is_in_fct_orders \(order_id\) is broken 1 time.* o-9",
    ),
    "lost refund": (
        "delete from marts.fct_refunds",
        r"refunds_add_up_to_their_order .*is broken 1 time, for instance o-2",
    ),
    "person's money": (
        "update marts.dim_persons set net_revenue = 12 where person_id = 'p-3'",
        r"dim_persons: rule orders_of_a_person_add_up is broken 1 time, for instance p-3",
    ),
    "numbered cancellation": (
        "update marts.fct_orders set person_order_number = 7 where order_id = 'o-4'",
        r"cancelled_orders_have_no_number .* is broken 1 time, for instance o-4",
    ),
    "lost raw row": (
        (
            "update quality.dq_row_counts set is_balanced = false, staged_rows = 44"
            " where table_name = 'events'"
        ),
        r"dq_row_counts: rule is_balanced \(is_balanced\) is broken 1 time.* web \| events",
    ),
    "as_of before the first order": (
        (
            "update quality.dq_row_counts set after_as_of_rows = 96, staged_rows = 0"
            " where table_name = 'orders'"
        ),
        r"storefront\.orders: no order is left, 96 are after as_of; look at var as_of",
    ),
    "quarantine": (
        (
            "update quality.dq_row_counts set quarantined_rows = 6, staged_rows = 93"
            " where table_name = 'orders'"
        ),
        (
            r"storefront\.orders: 6 of its rows are quarantined.*\(0\.05\) allows, for instance"
            r" bad-1 \(total_mismatch\), bad-2 \(total_mismatch\), bad-3"
        ),
    ),
    "session of nobody": (
        "update marts.fct_sessions set person_id = 'nobody' where session_id = 's-5'",
        r"fct_sessions: rule person_id_is_in_dim_persons \(person_id\) is broken 1 time.* nobody",
    ),
    "entry that no step counts": (
        "delete from marts.fct_funnel_entries where person_id = 'p-1'",
        r"every_entry_is_counted_once_in_each_step is broken 2 times.* purchase \| 1, purchase",
    ),
    "retention above 1": (
        (
            "create table marts.fct_cohorts as select date '2024-01-01' as cohort_month,"
            " 'all' as segment_name, 'all' as segment_value, 0 as period_number, 5 as cohort_size,"
            " 6 as active_customers, 1.2 :: double as retention_rate, 6 as orders"
        ),
        r"fct_cohorts: rule rate_is_between_0_and_1 \(retention_rate\) is broken 1 time",
    ),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = small_settings(tmp_path)
    write_orders(made.raw_path)
    write_build(made.build_path)
    return made


def page(settings: Settings) -> str:
    return (settings.validation_dir / "index.html").read_text(encoding="utf-8")


def test_a_true_build_passes_and_every_rule_is_named_once(settings):
    check_raw(settings, {})
    check_marts(settings, {})
    results = f"'{settings.validation_dir}/*.parquet'"
    rows, keys, failed = duckdb.execute(
        "select count(*), count(distinct (run_id, suite, expectation, column_name)),"
        f" count(*) filter (where not success) from {results}"
    ).fetchall()[0]
    assert rows == keys > 100
    assert failed == 0


@pytest.mark.parametrize("case", BROKEN)
def test_marts_that_cannot_be_true_stop(settings, case):
    change, message = BROKEN[case]
    write_build(settings.build_path, change=change)
    with pytest.raises(GateError) as caught:
        check_marts(settings, {})
    text = "\n".join(check.message for check in caught.value.result.stops)
    assert re.search(message, text), text


# What breaks a rule of a kind: a value of one of its columns.
DAMAGE = {
    "is_given": "{0} = null",
    "is_not_negative": "{0} = -1",
    "is_a_known_word": "{0} = 'no such word'",
    "is_not_after": "{0} = {1} + interval 1 second",
    "is_in": "{0} = 'nobody'",
    "rate_is_between_0_and_1": "{0} = 1.01",
}
UNRECOVERED = "recovered_at = null, recovered_by_channel = null"
# What breaks the others, each alternative alone, in any one row where no row is named.
BROKEN_RULES = {
    "marts.fct_sessions": {
        "page_views_are_among_the_events": ("page_view_count = 6", "event_count = 0"),
        "orders_make_a_session_converted": (
            "is_converted = not is_converted",
            "order_count = null",
            "order_id = case when order_id is null then 'o-1' end",
            "order_count = 0, order_id = null, is_converted = false, net_revenue = 1",
        ),
        "orders_of_a_session_add_up": ("order_count = 2", "net_revenue = 1", "session_id = 's-9'"),
        "sessions_of_a_device_do_not_overlap": ("ended_at = '2024-01-02'",),
    },
    "marts.fct_micro_conversions": {
        "polarity_is_1_or_minus_1": ("polarity = 0", "polarity = null"),
        "what_happened_happened_once_at_least": ("occurrence_count = 0", "occurrence_count = null"),
    },
    "marts.fct_micro_conversion_value": {
        "a_rate_is_null_without_sessions_alone": (
            "reach_rate = null",
            "session_count = 0",
            "conversion_rate_with = null",
            "conversion_rate_without = null where segment_value = 'true'",
            "conversion_rate_without = 0.1 where segment_value = 'all'",
        ),
        "a_lift_is_from_minus_1_to_1": (
            "adjusted_lift = 1.1, adjusted_lift_low = null, adjusted_lift_high = null",
        ),
        **{
            f"{column}_is_within_its_interval": (
                f"{column} = 9",
                f"{column} = null",
                f"{column}_low = null",
                f"{column}_high = null",
            )
            for column in ("adjusted_lift", "state_value_margin", "state_value_clv")
        },
        "every_session_is_counted_once_in_each_segment": (
            "session_count = 4 where segment_value = 'all'",
            "session_count = 1 where segment_value = 'true'",
            "micro_conversion = 'bounce'",
        ),
    },
    "marts.fct_searches": {
        "zero_results_follow_from_the_count": (
            "is_zero_result = false",
            "is_zero_result = null",
            "result_count = 1",
            "result_count = null",
        ),
    },
    "marts.fct_carts": {
        "a_cart_was_used_in_a_session_on_a_device": (
            "session_count = 0",
            "session_count = null",
            "device_count = 0",
            "device_count = null",
        ),
        "an_outcome_has_what_it_says": (
            f"outcome = 'emptied', {UNRECOVERED}, order_id = 'o-1'",
            f"outcome = 'abandoned', {UNRECOVERED}, order_id = null, abandoned_at = null",
            "outcome = 'recovered', recovered_at = now(), order_id = 'o-1', abandoned_at = null",
            (
                "outcome = 'ordered', recovered_at = now(), order_id = 'o-1',"
                " recovered_by_channel = null"
            ),
            f"outcome = 'open', {UNRECOVERED}, order_id = null, abandoned_at = null",
            (
                f"outcome = 'open', {UNRECOVERED}, order_id = null, is_mature = false,"
                " abandoned_at = now()"
            ),
            (
                "outcome = 'ordered', recovered_at = null, order_id = 'o-1',"
                " recovered_by_channel = 'email'"
            ),
        ),
    },
    "marts.fct_touchpoints": {
        "what_is_attributable_has_a_channel": ("channel_group = null",),
    },
    "marts.fct_channel_removal_effects": {
        "conversions_are_among_the_journeys": (
            "conversions = 4",
            "journeys = null",
            "conversions = null",
        ),
        "no_later_month_is_read": ("first_month_read = '2024-02-01'",),
        "shares_of_a_month_add_up_to_1": (
            "share = 0.3",
            "share = case channel_group when 'email' then 1 end",
        ),
    },
    "marts.dim_persons": {
        "orders_of_a_person_add_up": ("net_revenue = 1", "order_count = 7"),
        "customers_alone_have_scores": (
            "rfm_segment = null",
            "value_tier = 'top' where person_id = 'p-4'",
            "predicted_clv = null where person_id = 'p-1'",
        ),
    },
    "marts.fct_attribution": {
        "credits_bring_all_money_of_an_order": (
            "credit = 0.4",
            "attributed_revenue = attributed_revenue + 0.01",
        ),
        "credits_bring_all_value_of_a_first_order": (
            "attributed_clv = attributed_clv + 0.01",
            "attributed_clv = null where order_id = 'o-1'",
            "attributed_clv = 1 where order_id = 'o-4'",
        ),
    },
    "marts.fct_clv": {
        "predicted_clv_is_the_signed_one_or_0": (
            "predicted_clv_signed = 3",
            "predicted_clv = -1, predicted_clv_signed = -1",
        ),
    },
    "marts.fct_person_economics": {
        "net_value_is_margin_less_costs": (
            "net_value = 6",
            "contribution_margin = null",
            "net_value = null",
        ),
    },
    "marts.fct_person_months": {
        "score_is_from_0_to_10": ("latest_nps_score = 11",),
        "no_month_is_missing": (
            "month = '2023-10-01' where month = '2023-11-01'",
            "month = '2024-02-01' where month = '2024-01-01' and person_id = 'p-1'",
        ),
    },
    "marts.fct_clv_backtest": {
        "an_error_is_null_where_nobody_ordered_alone": (
            "error_rate = null where group_value = '7'",
            "error_rate = 0 where group_value = '1'",
        ),
        "groups_of_a_cutoff_add_up_to_all": (
            "customers = 3 where group_value = '1'",
            "actual_orders = 3 where group_value = '7'",
            "predicted_orders = 1.4 where group_name = 'cohort'",
            "group_name = 'cohort' where group_name = 'all'",
        ),
    },
    "marts.agg_channel_performance": {
        "channels_share_the_revenue_of_orders": ("revenue = revenue + 0.01",),
    },
    "marts.fct_funnel_entries": {
        "furthest_step_is_a_step": (
            "furthest_step = 0",
            "furthest_step = 9",
            "furthest_step = null",
        ),
        "steps_follow_each_other_without_gaps": (
            "entered_at = entered_at - interval 1 second",
            "step_2_at = entered_at - interval 1 second, furthest_step = 2",
            "step_4_at = '2024-01-02'",
            "furthest_step = 3",
        ),
        "steps_in_any_order_include_those_in_order": (
            "step_3_open_at = '2023-12-31'",
            "step_2_at = '2024-01-02', step_2_open_at = null",
            "step_2_at = '2024-01-02', step_2_open_at = '2024-01-03'",
        ),
        "converted_entries_reached_the_last_step": (
            "is_converted = not is_converted",
            "funnel_name = 'lost'",
        ),
    },
    "marts.agg_funnel_daily": {
        "step_number_is_a_step": ("step_number = 9", "step_number = 0"),
        "counts_fit_into_each_other": (
            "entered = 1",
            "entered_mature = 4",
            "reached_open = 4",
            "reached_open = 0",
            "reached_mature = 3",
            "reached = null",
            "step_number = 1 where reached = 2",
        ),
        "rates_are_of_their_counts": (
            "conversion_rate_naive = 0.9",
            "conversion_rate_mature = 0.9",
            "conversion_rate_mature = null",
            "conversion_rate_naive = null",
        ),
        "every_entry_is_counted_once_in_each_step": (
            "entered = 4",
            "entered_mature = 1",
            "reached = 0",
            "reached_mature = 0",
            "funnel_name = 'another'",
        ),
        "no_step_is_reached_by_more_than_the_one_before": (
            "reached = 9 where step_number = 2",
            "reached_mature = 9 where step_number = 2",
            "entered = 9 where step_number = 2",
        ),
    },
    "marts.fct_support_tickets": {
        "hours_are_known_when_their_end_is": (
            "first_response_hours = null",
            "resolution_hours = null",
            "first_responded_at = null",
            "resolved_at = null",
        ),
        "late_answers_breach_what_is_promised": (
            "sla_hours = 1",
            "sla_hours = null",
            "is_sla_breached = true",
        ),
        "satisfaction_is_from_1_to_5": ("satisfaction_score = 0", "satisfaction_score = 6"),
        "a_repeat_contact_has_a_person": ("is_repeat_contact = true where person_id is null",),
    },
    "marts.fct_nps_responses": {
        "category_follows_from_the_score": ("category = 'passive'", "score = 7"),
        "score_is_from_0_to_10": ("score = 11", "score = -1"),
        "only_answers_count_and_all_without_a_person": (
            "is_newest_answer = true where score is null",
            "is_newest_answer = false where person_id is null",
        ),
    },
    "marts.agg_nps": {
        "responses_are_promoters_passives_and_detractors": ("passives = 1", "responses = 3"),
        "no_more_answers_than_surveys": (
            "responses = 4",
            "surveys_mature = 4",
            "surveys_sent = null",
        ),
        "rates_are_null_without_surveys_alone": (
            "response_rate = null",
            "nps = null",
            "nps_low = null",
            "nps_high = null",
        ),
        "nps_is_promoters_less_detractors": ("nps = 1", "promoters = 2"),
        "nps_is_from_minus_100_to_100": ("nps = 101", "nps_low = -101", "nps_low = nps_high + 1"),
        "standard_error_is_from_0_to_100": ("nps_standard_error = 101",),
        "segments_of_a_month_add_up_to_all": (
            "surveys_sent = 4 where segment_name = 'country'",
            "responses = 1 where segment_name = 'country'",
            "segment_name = 'value_tier' where segment_name = 'all'",
        ),
        "every_survey_is_counted_once": (
            "surveys_sent = 4 where segment_name = 'all'",
            "responses = 1 where segment_name = 'all'",
        ),
    },
    "marts.fct_ad_spend": {},
}


def damages(mart: str, rule: Rule) -> list[str]:
    """Return the changes of a mart of which each alone must break a rule of it."""
    known = BROKEN_RULES[mart].get(rule.name)
    if known is None:
        [known] = [
            (way.format(*rule.columns),) for kind, way in DAMAGE.items() if kind in rule.name
        ]
    return [f"update {mart} set {change}" for change in known]


BREAKING = [
    (mart, rule, change)
    for mart in BROKEN_RULES
    for rule in RULES[mart]
    for change in damages(mart, rule)
]


@pytest.fixture(scope="module")
def true_build(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[duckdb.DuckDBPyConnection]:
    path = tmp_path_factory.mktemp("build") / "build.duckdb"
    write_build(path)
    with duckdb.connect(path) as connection:
        yield connection


def times_broken(connection: duckdb.DuckDBPyConnection, mart: str, rule: Rule) -> int:
    """Count as the gate does: it pushes down the same SQL."""
    counted = "count(*)" if isinstance(rule, QueryRule) else counting(rule)
    rows = f"({rule.query})" if isinstance(rule, QueryRule) else mart
    return int(connection.execute(f"select {counted} from {rows}").fetchall()[0][0])


@pytest.mark.parametrize(
    ("mart", "rule", "change"),
    BREAKING,
    ids=[f"{mart}-{rule.name}-{change.partition(' set ')[2]}" for mart, rule, change in BREAKING],
)
def test_a_violated_rule_of_a_mart_is_caught(true_build, mart, rule, change):
    assert times_broken(true_build, mart, rule) == 0
    true_build.execute("begin")
    try:
        true_build.execute(change)
        assert times_broken(true_build, mart, rule) > 0
    finally:
        true_build.execute("rollback")


@pytest.mark.parametrize("mart", BROKEN_RULES)
def test_a_repeated_or_empty_key_is_caught(true_build, mart):
    [suite] = [s for s in marts_suites(read_catalog(true_build), [], 1) if s.name == mart]
    [rule] = [rule for rule in suite.rules if isinstance(rule, KeyRule)]
    assert rule.columns == KEYS[mart]
    for change in (f"insert into {mart} from {mart}", f"update {mart} set {KEYS[mart][-1]} = null"):
        true_build.execute("begin")
        try:
            true_build.execute(change)
            assert times_broken(true_build, mart, rule) > 0
        finally:
            true_build.execute("rollback")


def test_every_rule_on_these_marts_is_checked(true_build):
    skipped = [name for name, *_ in unchecked(read_catalog(true_build))]
    assert set(skipped) & set(BROKEN_RULES) == set()
    named = {mart: {rule.name for rule in RULES[mart]} for mart in BROKEN_RULES}
    assert all(set(BROKEN_RULES[mart]) <= named[mart] for mart in BROKEN_RULES)


def test_the_message_names_at_most_five_rules_and_counts_the_others(settings):
    change = "update marts.fct_orders set net_sales = 1, discount_share = 2, item_count = null"
    change += "; delete from marts.dim_persons"
    write_build(settings.build_path, change=change)
    with pytest.raises(GateError) as caught:
        check_marts(settings, {})
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("the marts gate stops: ")
    assert len(lines) == 6
    assert lines[-1].strip() == f"... and {len(caught.value.result.stops) - 5} more"


def test_the_result_is_the_same_when_the_gate_runs_again(settings):
    path = settings.validation_dir / "marts.parquet"
    check_marts(settings, {})
    first = path.read_bytes()
    check_marts(settings, {})
    assert path.read_bytes() == first
    found = read_result(settings.validation_dir, "marts")
    assert found is not None
    assert found.run_id == "build-1"


def test_a_single_quarantined_row_never_stops(settings):
    change = "update quality.dq_row_counts set raw_rows = 2, staged_rows = 1, quarantined_rows = 1,"
    change += " duplicate_rows = 0 where table_name = 'orders'"
    write_build(settings.build_path, change=change)
    assert check_marts(settings, {}).stops == ()


def row_counts(raw: int, quarantined: int) -> str:
    """Return a change of the raw rows of orders, all others staged."""
    return (
        f"update quality.dq_row_counts set raw_rows = {raw}, quarantined_rows = {quarantined},"
        f" staged_rows = {raw - quarantined}, duplicate_rows = 0 where table_name = 'orders'"
    )


@pytest.mark.parametrize(
    ("published", "built", "message"),
    [
        ((1000, 3), (1000, 3), None),
        # one bad row of two
        ((1000, 3), (1002, 4), None),
        ((1000, 3), (1100, 8), None),
        ((1000, 3), (1100, 9), r"orders: of the rows that came.*\(0\.05\).*; 9 in all, 3 then"),
        # none came: a rule has changed
        ((1000, 3), (1000, 40), None),
        ((1000, 3), (500, 3), None),
        ((1000, 3), (499, 3), "orders: 499 raw rows, less than half of the 1000 .* CX_RAW_PATH"),
    ],
)
def test_what_came_since_the_last_publication_is_looked_at_by_itself(
    settings, published, built, message
):
    write_build(settings.serve_path, change=row_counts(*published))
    write_build(settings.build_path, change=row_counts(*built))
    result = check_marts(settings, {})
    assert not result.stops
    warnings = [check.message for check in result.warnings if check.suite.endswith("row_counts")]
    assert len(warnings) == bool(message)
    if message:
        assert re.search(message, warnings[0])


def test_nothing_is_compared_with_a_published_file_that_tells_no_counts(settings):
    settings.serve_path.write_text("no DuckDB file")
    write_build(settings.build_path, change=row_counts(1000, 40))
    assert not check_marts(settings, {}).stops


def test_vars_override_how_much_may_be_quarantined(settings):
    assert quarantine_share_max({}) == 0.05
    with pytest.raises(GateError, match=r"3 of its rows are quarantined.*\(0\.02\)"):
        check_marts(settings, {"quarantine_share_max": 0.02})
    with pytest.raises(CxError, match="quarantine_share_max: 'much' is not a share"):
        check_marts(settings, {"quarantine_share_max": "much"})


def test_equal_hashes_of_different_keys_are_no_repeated_key(settings, monkeypatch):
    from cx_warehouse.quality import expectations  # noqa: PLC0415 - takes seconds

    monkeypatch.setattr(expectations, "counting", lambda _: "max(1)")
    rules = {check.expectation: check for check in _all_checks(settings)}
    assert rules["key_is_unique"].success
    assert not rules["net_sales_is_gross_less_discount"].success


def _all_checks(settings):
    with pytest.raises(GateError) as caught:
        check_marts(settings, {})
    return caught.value.result.checks


def test_a_mart_without_declared_key_and_an_absent_column_are_warnings(settings):
    change = "create table marts.fct_new as select 1 as a;"
    change += "alter table marts.fct_order_items drop column quantity"
    write_build(settings.build_path, change=change)
    warnings = [check.message for check in check_marts(settings, {}).warnings]
    assert warnings == [
        "marts.fct_new: rule key_is_declared was not checked: no key is declared",
        "marts.fct_order_items: rule is_not_negative was not checked: column quantity is absent",
    ]


def test_every_mart_of_the_project_has_a_declared_key():
    models = {
        f"{folder}.{path.stem}"
        for folder in ("marts", "quality")
        for path in (PROJECT_ROOT / "models" / folder).rglob("*.sql")
    }
    assert models - set(KEYS) == set()


def test_the_page_escapes_what_the_data_holds_and_loads_nothing(settings):
    change = "insert into marts.dim_persons (person_id, order_count, lifecycle_stage)"
    change += " select '<script>x</script>', 0, 'visitor' from range(2)"
    write_build(settings.build_path, change=change)
    with pytest.raises(GateError, match="<script>x</script>"):
        check_marts(settings, {})
    html = page(settings)
    assert "&lt;script&gt;x&lt;/script&gt;" in html
    assert not re.search(r"<script|<link|<img|src=|href=|https?:|url\(|@import", html)
    assert re.search(r"1 rule of \d+ stops the build", html)


def test_an_incomplete_build_is_one_clear_line(settings):
    write_build(settings.build_path, change="drop table quality.dq_row_counts")
    with pytest.raises(CxError, match=r"lacks quality\.dq_row_counts"):
        check_marts(settings, {})
    settings.build_path.unlink()
    with pytest.raises(CxError, match="run `cx build` or `dbt build` first"):
        check_marts(settings, {})


@pytest.mark.parametrize(
    "change",
    [
        "insert into ops.runs values (2, null, false, '', null)",
        "update ops.runs set finished_at = null, is_whole = null",
        "update ops.runs set is_whole = false",
        "drop table ops.runs",
    ],
)
def test_what_an_unfinished_run_left_is_not_checked(settings, change):
    write_build(settings.build_path, change=change)
    with pytest.raises(CxError, match=r"last run .* failed, or left models out; run `cx build`"):
        check_marts(settings, {})


def test_the_build_file_is_free_again_after_the_gate(settings):
    check_marts(settings, {})
    with duckdb.connect(settings.build_path) as connection:
        connection.execute("create table marts.another as select 1 as a")


def test_bad_rows_warn_and_never_stop_the_raw_gate(settings):
    query = ORDERS.replace("'EUR' as", "null :: varchar as").replace("'o-' || n", "'o'")
    write_orders(settings.raw_path, query)
    warnings = [check.message for check in check_raw(settings, {}).warnings]
    assert warnings == [
        (
            "raw_storefront.orders: rule required_value_is_given (currency):"
            " a share of 0, at least 0.95 expected"
        ),
        (
            "raw_storefront.orders: rule keys_are_mostly_distinct (order_id):"
            " a share of 0.1, at least 0.5 expected"
        ),
    ]


def test_a_lake_without_orders_stops(settings):
    write_orders(settings.raw_path, f"{ORDERS} where false")
    with pytest.raises(GateError, match=r"raw_storefront\.orders: rule has_rows: 0 rows"):
        check_raw(settings, {})


def test_an_unreadable_file_stops_and_is_named_in_the_result(settings):
    path = write_orders(settings.raw_path)
    path.write_bytes(b"this is no parquet")
    with pytest.raises(CxError, match=re.escape(str(path))):
        check_raw(settings, {})
    found = read_result(settings.validation_dir, "raw")
    assert found is not None
    assert str(path) in found.stops[0].message
    assert str(path) in page(settings)


def test_a_missing_required_column_stops_and_names_file_and_column(settings):
    path = write_orders(settings.raw_path, ORDERS.replace("'EUR' as currency,", ""))
    with pytest.raises(CxError, match=rf"{re.escape(str(path))} lacks .* currency"):
        check_raw(settings, {})


def test_a_file_that_breaks_in_the_middle_stops_whatever_its_table(settings, tmp_path):
    lake = tmp_path / "csv"
    for table, content in {
        "storefront/orders": (
            "order_id,ordered_at,currency,item_total,order_total\no,2024-01-01,EUR,1,1\n"
        ),
        "storefront/customers": "customer_id,created_at\nc-1,2024-01-01\nc-2,2024,too,many\n",
    }.items():
        (lake / table).mkdir(parents=True)
        (lake / table / "part.csv").write_text(content)
    broken = Settings(lake, "csv", settings.warehouse_dir, settings.pii_key)
    with pytest.raises(
        CxError, match=r"cannot read .*customers/part\.csv as csv: .* Line: 3"
    ) as caught:
        check_raw(broken, {})
    assert len(str(caught.value).splitlines()) == 1


def test_nothing_is_sent_to_anybody(settings, monkeypatch):
    def refuse(*_):
        pytest.fail("something asks for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    check_marts(settings, {})
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
