"""Suites of the marts gate: what no mart may contradict.

To add a mart, give it a line in `KEYS`; rates and shares are then checked by their names. To add a
rule, append it to the mart's tuple in `RULES`. A rule's SQL may use any column that it names in
`columns` (and, for a `QueryRule`, `requires`). Rules of marts that are not built do not apply.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from cx_warehouse.quality.marts_rules import (
    FUNNEL_COUNTS,
    FUNNEL_STEPS,
    MARGIN,
    NET_REVENUE,
    NET_SALES,
    NPS_SEGMENTS,
    UNKNOWN_COST,
    VALUE_TIERS,
    among,
    attributed_money_rule,
    attributed_value_rule,
    backtest_groups_rule,
    between_0_and_1,
    channel_revenue_rule,
    dense_months_rule,
    exists,
    fewer_at_each_step_rule,
    funnel_end_rule,
    funnel_entries_rule,
    given,
    in_order,
    lines_rule,
    movements_rule,
    not_negative,
    nps_responses_rule,
    nps_segments_rule,
    open_steps_rule,
    overlap_rule,
    persons_money_rule,
    refunds_rule,
    removal_shares_rule,
    segments_rule,
    session_orders_rule,
    steps_rule,
    valued_sessions_rule,
    within_its_interval,
)
from cx_warehouse.quality.rules import (
    SAMPLE_SIZE,
    KeyRule,
    QueryRule,
    RowRule,
    Rule,
    Suite,
    literal,
    quoted,
)

# Columns of each table: schema.table to column name to DuckDB type.
Catalog = Mapping[str, Mapping[str, str]]

# The primary key of each mart, as the interface fixes it.
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "marts.dim_persons": ("person_id",),
    "marts.dim_identity_links": ("link_id",),
    "marts.dim_products": ("product_id",),
    "marts.dim_promotions": ("promotion_id",),
    "marts.dim_dates": ("date_day",),
    "marts.fct_orders": ("order_id",),
    "marts.fct_order_items": ("order_item_id",),
    "marts.fct_refunds": ("refund_id",),
    "marts.fct_sales_movements": ("movement_id",),
    "marts.fct_deliveries": ("delivery_id",),
    "marts.fct_sessions": ("session_id",),
    "marts.fct_micro_conversions": ("session_id", "micro_conversion"),
    "marts.fct_micro_conversion_value": ("micro_conversion", "segment_name", "segment_value"),
    "marts.fct_searches": ("event_id",),
    "marts.fct_carts": ("cart_id",),
    "marts.fct_touchpoints": ("touchpoint_id",),
    "marts.fct_channel_removal_effects": ("period_month", "channel_group"),
    "marts.fct_attribution": ("order_id", "touchpoint_id", "attribution_model"),
    "marts.agg_channel_performance": ("period_month", "channel_group", "attribution_model"),
    "marts.fct_funnel_entries": ("funnel_name", "person_id", "entered_at"),
    "marts.agg_funnel_daily": (
        "funnel_name",
        "entry_date",
        "step_number",
        "device_type",
        "channel_group",
    ),
    "marts.fct_ad_spend": ("spend_date", "channel_group", "campaign"),
    "marts.fct_support_tickets": ("ticket_id",),
    "marts.fct_nps_responses": ("survey_id",),
    "marts.agg_nps": ("period_month", "segment_name", "segment_value"),
    "marts.fct_cohorts": ("cohort_month", "segment_name", "segment_value", "period_number"),
    "marts.fct_clv": ("person_id",),
    "marts.fct_clv_models": ("model_run_id",),
    "marts.fct_person_economics": ("person_id",),
    "marts.fct_person_months": ("person_id", "month"),
    "marts.fct_clv_backtest": ("cutoff_date", "group_name", "group_value"),
    "quality.dq_row_counts": ("source_name", "table_name"),
    "quality.dq_quarantined_rows": ("quarantine_id",),
    "quality.dq_schema_drift": (
        "source_name",
        "table_name",
        "column_name",
        "drift_kind",
        "drift_value",
    ),
    "quality.dq_late_arrivals": ("source_name", "table_name", "loaded_date"),
    "quality.dq_builds": ("build_id",),
}

# Key columns that the interface lets be null.
NULLABLE_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "marts.fct_attribution": ("touchpoint_id",),
    "quality.dq_schema_drift": ("column_name", "drift_value"),
}

# Named like a share of a whole, but not bound to it: an exchange rate, the discount of an order
# that gave more away than it sold, which is odd but one row, and errors of predictions.
NOT_BETWEEN_0_AND_1: Final = frozenset(
    {"exchange_rate", "discount_share", "error_rate", "naive_error_rate", "value_error_rate"}
)
STATE_VALUES: Final = ("state_value_margin", "state_value_clv")
SHARE_ENDINGS: Final = ("_rate", "_share")

BUCKETS: Final = (
    "staged_rows",
    "quarantined_rows",
    "duplicate_rows",
    "after_as_of_rows",
    "no_device_rows",
    "bot_rows",
)

RULES: Final[dict[str, tuple[Rule, ...]]] = {
    "marts.dim_persons": (
        among("person_kind", ("customer", "guest", "visitor")),
        in_order("first_order_at", "last_order_at"),
        *not_negative("order_count"),
        persons_money_rule(),
        among("value_tier", VALUE_TIERS),
        *between_0_and_1("probability_alive"),
        *given("lifecycle_stage"),
        RowRule(
            "customers_alone_have_scores",
            ("order_count", "rfm_segment", "value_tier", "predicted_clv"),
            "(order_count > 0) <> (rfm_segment is not null)"
            " or (order_count > 0) <> (value_tier is not null)"
            " or (order_count > 0) <> (predicted_clv is not null)",
        ),
    ),
    "marts.dim_promotions": (in_order("starts_at", "ends_at"),),
    "marts.fct_orders": (
        NET_SALES,
        NET_REVENUE,
        MARGIN,
        UNKNOWN_COST,
        among("cost_quality", ("actual", "assumed", "unknown")),
        *not_negative("item_count", "days_since_previous_order"),
        RowRule(
            "cancelled_orders_have_no_number",
            ("is_cancelled", "person_order_number"),
            "is_cancelled and person_order_number is not null",
        ),
        RowRule(
            "first_order_is_number_one",
            ("is_first_order", "person_order_number"),
            "coalesce(is_first_order, false) <> coalesce(person_order_number = 1, false)",
        ),
        KeyRule(
            "order_numbers_of_a_person_are_distinct",
            ("person_id", "person_order_number"),
            where="person_order_number is not null",
        ),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_orders"),
    ),
    "marts.fct_order_items": (
        NET_SALES,
        NET_REVENUE,
        *not_negative("quantity"),
        exists("order_id", "marts.fct_orders", "order_id", "marts.fct_order_items"),
        lines_rule(),
    ),
    "marts.fct_refunds": (
        exists("order_id", "marts.fct_orders", "order_id", "marts.fct_refunds"),
        refunds_rule(),
    ),
    "marts.fct_sales_movements": (
        NET_SALES,
        NET_REVENUE,
        among("movement_kind", ("sale", "refund", "cancellation")),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_sales_movements"),
        movements_rule(),
    ),
    "marts.fct_deliveries": (
        exists("order_id", "marts.fct_orders", "order_id", "marts.fct_deliveries"),
        in_order("shipped_at", "delivered_at"),
    ),
    "marts.fct_ad_spend": (*not_negative("spend", "impressions", "clicks"), *given("spend")),
    "marts.fct_sessions": (
        *given("anonymous_id", "person_id", "channel_group", "is_final"),
        in_order("started_at", "ended_at"),
        *not_negative("duration_seconds", "page_view_count", "order_count"),
        among("intent", ("research", "purchase", "support", "unknown")),
        RowRule(
            "page_views_are_among_the_events",
            ("event_count", "page_view_count"),
            "event_count is null or event_count < 1 or page_view_count > event_count",
        ),
        RowRule(
            "orders_make_a_session_converted",
            ("is_converted", "order_count", "order_id", "net_revenue"),
            "is_converted is distinct from (order_count > 0)"
            " or is_converted is distinct from (order_id is not null)"
            " or (order_count = 0 and net_revenue <> 0)",
        ),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_sessions"),
        exists("order_id", "marts.fct_orders", "order_id", "marts.fct_sessions"),
        session_orders_rule(),
        overlap_rule(),
    ),
    "marts.fct_micro_conversions": (
        *given("person_id", "occurred_at", "stage"),
        RowRule(
            "polarity_is_1_or_minus_1",
            ("polarity",),
            "polarity is null or polarity not in (1, -1)",
        ),
        RowRule(
            "what_happened_happened_once_at_least",
            ("occurrence_count",),
            "occurrence_count is null or occurrence_count < 1",
        ),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_micro_conversions"),
        exists("session_id", "marts.fct_sessions", "session_id", "marts.fct_micro_conversions"),
    ),
    "marts.fct_micro_conversion_value": (
        *given("session_count", "sample_is_sufficient"),
        *not_negative("session_count"),
        *between_0_and_1("conversion_rate_with", "conversion_rate_without"),
        among("segment_name", ("all", "device_type", "is_new")),
        RowRule(
            "a_rate_is_null_without_sessions_alone",
            ("reach_rate", "session_count", "conversion_rate_with", "conversion_rate_without"),
            "reach_rate is null or (conversion_rate_with is null) <> (session_count = 0)"
            " or (conversion_rate_without is null) <> (reach_rate = 1)",
        ),
        RowRule(
            "a_lift_is_from_minus_1_to_1",
            ("adjusted_lift",),
            "adjusted_lift not between -1 and 1",
        ),
        *(within_its_interval(c) for c in ("adjusted_lift", *STATE_VALUES)),
        valued_sessions_rule(),
    ),
    "marts.fct_searches": (
        *given("person_id", "is_refinement", "led_to_product_view", "led_to_order"),
        *not_negative("result_count"),
        RowRule(
            "zero_results_follow_from_the_count",
            ("is_zero_result", "result_count"),
            "is_zero_result is distinct from (result_count = 0)",
        ),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_searches"),
        exists("session_id", "marts.fct_sessions", "session_id", "marts.fct_searches"),
    ),
    "marts.fct_carts": (
        *given("person_id", "created_at", "is_mature"),
        *not_negative("item_count", "cart_value"),
        among("outcome", ("ordered", "recovered", "emptied", "abandoned", "open")),
        in_order("created_at", "last_activity_at"),
        in_order("abandoned_at", "recovered_at"),
        RowRule(
            "a_cart_was_used_in_a_session_on_a_device",
            ("session_count", "device_count"),
            "session_count is null or session_count < 1"
            " or device_count is null or device_count < 1",
        ),
        RowRule(
            "an_outcome_has_what_it_says",
            ("outcome", "order_id", "abandoned_at", "recovered_at", "recovered_by_channel"),
            "(outcome in ('ordered', 'recovered')) is distinct from (order_id is not null)"
            " or (outcome = 'recovered') is distinct from (recovered_at is not null)"
            " or (outcome in ('recovered', 'abandoned') and abandoned_at is null)"
            " or (outcome = 'open' and (abandoned_at is not null or is_mature))"
            " or (outcome <> 'recovered' and recovered_by_channel is not null)",
        ),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_carts"),
        exists("order_id", "marts.fct_orders", "order_id", "marts.fct_carts"),
    ),
    "marts.fct_touchpoints": (
        *given("person_id", "occurred_at", "touch_kind", "is_attributable"),
        among("journey_stage", ("pre_purchase", "purchase", "post_purchase")),
        RowRule(
            "what_is_attributable_has_a_channel",
            ("is_attributable", "channel_group"),
            "is_attributable and channel_group is null",
        ),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_touchpoints"),
        exists("session_id", "marts.fct_sessions", "session_id", "marts.fct_touchpoints"),
    ),
    "marts.fct_channel_removal_effects": (
        *given("removal_effect", "first_month_read"),
        *between_0_and_1("removal_effect", "share"),
        RowRule(
            "no_later_month_is_read",
            ("first_month_read", "period_month"),
            "first_month_read > period_month",
        ),
        *not_negative("journeys", "conversions"),
        RowRule(
            "conversions_are_among_the_journeys",
            ("journeys", "conversions"),
            "journeys is null or conversions is null or conversions > journeys",
        ),
        removal_shares_rule(),
    ),
    "marts.fct_attribution": (
        *given("attribution_model", "credit", "attributed_revenue"),
        *between_0_and_1("credit"),
        attributed_money_rule(),
        attributed_value_rule(),
        exists("order_id", "marts.fct_orders", "order_id", "marts.fct_attribution"),
        exists("touchpoint_id", "marts.fct_touchpoints", "touchpoint_id", "marts.fct_attribution"),
    ),
    "marts.agg_channel_performance": (
        *given("attribution_model", "spend", "orders", "revenue"),
        *not_negative("spend", "orders"),
        channel_revenue_rule(),
    ),
    "marts.fct_funnel_entries": (
        *given("device_type", "channel_group", "is_converted", "is_mature"),
        RowRule(
            "furthest_step_is_a_step",
            ("furthest_step",),
            f"furthest_step is null or furthest_step not between 1 and {FUNNEL_STEPS[-1]}",
        ),
        steps_rule(),
        open_steps_rule(),
        funnel_end_rule(),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_funnel_entries"),
        exists("session_id", "marts.fct_sessions", "session_id", "marts.fct_funnel_entries"),
    ),
    "marts.agg_funnel_daily": (
        *given("step_name"),
        *not_negative("entered_mature", "reached_mature", "median_hours_from_previous"),
        *between_0_and_1(
            "conversion_rate_naive", "conversion_rate_mature", "rate_of_previous_step"
        ),
        RowRule(
            "step_number_is_a_step",
            ("step_number",),
            f"step_number not between 1 and {FUNNEL_STEPS[-1]}",
        ),
        RowRule(
            "counts_fit_into_each_other",
            ("step_number", *FUNNEL_COUNTS),
            "not coalesce(entered >= 1 and entered >= entered_mature and entered >= reached_open"
            " and reached_open >= reached and reached >= reached_mature"
            " and entered_mature >= reached_mature"
            " and (step_number > 1 or (reached = entered and reached_mature = entered_mature)),"
            " false)",
        ),
        RowRule(
            "rates_are_of_their_counts",
            (*FUNNEL_COUNTS[:-1], "conversion_rate_naive", "conversion_rate_mature"),
            "abs(conversion_rate_naive - reached / entered) > 1e-9"
            " or abs(conversion_rate_mature - reached_mature / nullif(entered_mature, 0)) > 1e-9"
            " or (conversion_rate_mature is null) <> (entered_mature = 0)"
            " or conversion_rate_naive is null",
        ),
        funnel_entries_rule(),
        fewer_at_each_step_rule(),
    ),
    "marts.fct_support_tickets": (
        *given("created_at", "is_repeat_contact"),
        in_order("created_at", "first_responded_at"),
        in_order("created_at", "resolved_at"),
        *not_negative(
            "first_response_hours",
            "resolution_hours",
            "sla_hours",
            "agent_minutes",
            "cost_to_serve",
        ),
        among("channel", ("chat", "email", "phone", "social", "other")),
        RowRule(
            "hours_are_known_when_their_end_is",
            ("first_response_hours", "first_responded_at", "resolution_hours", "resolved_at"),
            "(first_response_hours is null) <> (first_responded_at is null)"
            " or (resolution_hours is null) <> (resolved_at is null)",
        ),
        RowRule(
            "late_answers_breach_what_is_promised",
            ("is_sla_breached", "sla_hours", "first_response_hours"),
            "(is_sla_breached is null) <> (sla_hours is null)"
            " or is_sla_breached <> (first_response_hours > sla_hours)",
        ),
        RowRule(
            "satisfaction_is_from_1_to_5",
            ("satisfaction_score",),
            "satisfaction_score not between 1 and 5",
        ),
        RowRule(
            "a_repeat_contact_has_a_person",
            ("is_repeat_contact", "person_id"),
            "is_repeat_contact and person_id is null",
        ),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_support_tickets"),
    ),
    "marts.fct_nps_responses": (
        *given("sent_at", "is_mature", "is_newest_answer"),
        in_order("sent_at", "responded_at"),
        among("survey_trigger", ("relationship", "post_purchase", "post_support", "other")),
        RowRule(
            "category_follows_from_the_score",
            ("category", "score"),
            "category is distinct from case when score >= 9 then 'promoter'"
            " when score >= 7 then 'passive' when score >= 0 then 'detractor' end",
        ),
        RowRule("score_is_from_0_to_10", ("score",), "score not between 0 and 10"),
        RowRule(
            "only_answers_count_and_all_without_a_person",
            ("is_newest_answer", "score", "person_id"),
            "(is_newest_answer and score is null)"
            " or (person_id is null and is_newest_answer <> (score is not null))",
        ),
        *not_negative("days_since_last_ticket"),
        among("value_tier_at_response", VALUE_TIERS),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_nps_responses"),
    ),
    "marts.agg_nps": (
        among("segment_name", NPS_SEGMENTS),
        *not_negative("promoters", "passives", "detractors", "surveys_mature"),
        RowRule(
            "responses_are_promoters_passives_and_detractors",
            ("responses", "promoters", "passives", "detractors"),
            "responses is distinct from promoters + passives + detractors",
        ),
        RowRule(
            "no_more_answers_than_surveys",
            ("surveys_sent", "surveys_mature", "responses"),
            "not coalesce(surveys_sent >= greatest(surveys_mature, responses, 1), false)",
        ),
        RowRule(
            "rates_are_null_without_surveys_alone",
            ("response_rate", "surveys_mature", "nps", "nps_low", "nps_high", "responses"),
            "(response_rate is null) <> (surveys_mature = 0) or (nps is null) <> (responses = 0)"
            " or (nps_low is null) <> (responses = 0) or (nps_high is null) <> (responses = 0)",
        ),
        RowRule(
            "nps_is_promoters_less_detractors",
            ("nps", "promoters", "detractors", "responses"),
            "abs(nps - 100 * (promoters - detractors) / responses) > 1e-9",
        ),
        RowRule(
            "nps_is_from_minus_100_to_100",
            ("nps", "nps_low", "nps_high"),
            "nps not between -100 and 100 or nps_low < -100 or nps_high > 100"
            " or nps_low > nps_high",
        ),
        RowRule(
            "standard_error_is_from_0_to_100",
            ("nps_standard_error",),
            "nps_standard_error not between 0 and 100",
        ),
        nps_segments_rule(),
        nps_responses_rule(),
    ),
    "marts.fct_cohorts": (
        RowRule(
            "active_customers_are_of_the_cohort",
            ("active_customers", "cohort_size"),
            "active_customers > cohort_size",
        ),
        *not_negative("period_number", "active_customers", "orders"),
        segments_rule(),
    ),
    "marts.fct_clv": (
        *given("predicted_clv", "predicted_clv_signed", "clv_decile", "is_identified"),
        *between_0_and_1("probability_alive"),
        *not_negative("expected_orders_90d", "expected_orders_365d", "expected_order_value"),
        RowRule(
            "predicted_clv_is_the_signed_one_or_0",
            ("predicted_clv", "predicted_clv_signed"),
            "predicted_clv <> greatest(predicted_clv_signed, 0)",
        ),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_clv"),
        exists("model_run_id", "marts.fct_clv_models", "model_run_id", "marts.fct_clv"),
    ),
    "marts.fct_clv_models": (
        *given("model", "value_basis", "calibration_end"),
        *not_negative("r", "alpha", "a", "b", "p", "q", "v"),
    ),
    "marts.fct_clv_backtest": (
        *given("predicted_orders", "predicted_value"),
        *not_negative("customers", "predicted_orders", "actual_orders", "naive_predicted_orders"),
        among("group_name", ("all", "cohort", "decile")),
        RowRule(
            "an_error_is_null_where_nobody_ordered_alone",
            ("error_rate", "actual_orders"),
            "(error_rate is null) <> (actual_orders = 0)",
        ),
        backtest_groups_rule(),
    ),
    "marts.fct_person_economics": (
        *given("returns_handling"),
        among("cost_quality", ("actual", "assumed", "unknown")),
        *not_negative("returns_handling", "cost_to_serve", "acquisition_cost", "payback_days"),
        RowRule(
            "net_value_is_margin_less_costs",
            ("net_value", "contribution_margin", "returns_handling", "cost_to_serve"),
            "net_value is distinct from contribution_margin - returns_handling - cost_to_serve",
        ),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_person_economics"),
    ),
    "marts.fct_person_months": (
        *given("orders", "net_revenue", "rfm_segment", "value_tier", "predicted_clv"),
        *not_negative("orders", "sessions", "tickets", "cost_to_serve", "predicted_clv"),
        among("value_tier", VALUE_TIERS),
        RowRule(
            "score_is_from_0_to_10", ("latest_nps_score",), "latest_nps_score not between 0 and 10"
        ),
        dense_months_rule(),
        exists("person_id", "marts.dim_persons", "person_id", "marts.fct_person_months"),
    ),
    "quality.dq_row_counts": (
        RowRule("is_balanced", ("is_balanced",), "is_balanced is distinct from true"),
        RowRule(
            "buckets_add_up_to_raw_rows",
            ("raw_rows", *BUCKETS),
            f"raw_rows is distinct from {' + '.join(BUCKETS)}",
        ),
        RowRule(
            "some_order_is_not_after_as_of",
            ("source_name", "table_name", "staged_rows", "after_as_of_rows"),
            "source_name = 'storefront' and table_name = 'orders' and staged_rows = 0"
            " and after_as_of_rows > 0",
            counted="after_as_of_rows",
            says=(
                "storefront.orders: no order is left, {count} are after as_of; look at var as_of"
            ),
        ),
    ),
}


class RawCounts(NamedTuple):
    """Rows of a raw table, and how many of them are quarantined."""

    rows: int
    quarantined: int


def marts_suites(
    catalog: Catalog,
    raw_tables: Iterable[tuple[str, str]],
    quarantine_share_max: float,
    published: Mapping[tuple[str, str], RawCounts] | None = None,
) -> list[Suite]:
    """Return the suites of the marts that are built.

    Parameters
    ----------
    catalog
        Columns of each table of the build file's schemas marts and quality.
    raw_tables
        (source_name, table_name) of the rows of `quality.dq_row_counts`.
    quarantine_share_max
        `var quarantine_share_max`.
    published
        What readers see was built from, by (source_name, table_name); nothing is compared without.

    Returns
    -------
    list of Suite
        By table name. Rules whose tables or columns are absent are left out; `unchecked` names
        them.
    """
    suites = []
    for name in sorted(catalog):
        rules = [*_common_rules(name, catalog[name]), *RULES.get(name, ())]
        if name == "quality.dq_row_counts":
            for table in raw_tables:
                rules.append(_quarantine_rule(*table, quarantine_share_max))
                if published and table in published:
                    rules += _news_rules(*table, quarantine_share_max, published[table])
        applicable = tuple(rule for rule in rules if not _absent(name, rule, catalog))
        schema, _, table_name = name.partition(".")
        key = tuple(column for column in KEYS.get(name, ()) if column in catalog[name])
        suites.append(Suite(schema, table_name, key, applicable))
    return suites


def unchecked(catalog: Catalog) -> list[tuple[str, Rule, tuple[str, ...]]]:
    """Return what could not be checked although its mart is built.

    Parameters
    ----------
    catalog
        Columns of each table of the build file's schemas marts and quality.

    Returns
    -------
    list of (str, Rule, tuple of str)
        `schema.table`, the rule, and the columns that the built mart lacks. A mart without a
        declared key is listed with a rule that says so.
    """
    missing: list[tuple[str, Rule, tuple[str, ...]]] = []
    for name in sorted(catalog):
        if name not in KEYS:
            missing.append((name, KeyRule("key_is_declared", (), severity="warning"), ()))
            continue
        for rule in (*_common_rules(name, catalog[name]), *RULES.get(name, ())):
            own = tuple(column for column in rule.columns if column not in catalog[name])
            if own:
                missing.append((name, rule, own))
    return missing


def _absent(name: str, rule: Rule, catalog: Catalog) -> bool:
    """Whether a column that a rule reads is not there."""
    needed = [f"{name}.{column}" for column in rule.columns]
    if isinstance(rule, QueryRule):
        needed += rule.requires
    for column in needed:
        table, _, column_name = column.rpartition(".")
        if column_name not in catalog.get(table, {}):
            return True
    return False


def _common_rules(name: str, columns: Mapping[str, str]) -> list[Rule]:
    """Return the rules that every mart has: its key, and rates between 0 and 1."""
    rules: list[Rule] = []
    if name in KEYS:
        rules.append(KeyRule("key_is_unique", KEYS[name], NULLABLE_KEYS.get(name, ())))
    rules += [
        RowRule("rate_is_between_0_and_1", (column,), f"{quoted(column)} not between 0 and 1")
        for column, data_type in columns.items()
        if data_type in {"DOUBLE", "FLOAT"}
        and column.endswith(SHARE_ENDINGS)
        and column not in NOT_BETWEEN_0_AND_1
    ]
    return rules


def _quarantine_rule(source_name: str, table_name: str, share_max: float) -> RowRule:
    """Return the rule on a table's share of quarantined rows; one bad row never breaks it."""
    is_table = _is_table(source_name, table_name)
    sample = (
        "select cast(row_key as varchar) || ' (' || reason_code || ')' as key"
        f" from quality.dq_quarantined_rows where {is_table} order by key limit {SAMPLE_SIZE}"
    )
    return RowRule(
        f"quarantined_share_of_{source_name}_{table_name}_is_at_most_{share_max:g}",
        ("quarantined_rows", "raw_rows"),
        f"{is_table} and quarantined_rows > greatest(1, {share_max!r} * raw_rows)",
        sample=sample,
        counted="quarantined_rows",
        says=(
            f"{source_name}.{table_name}: {{count}} of its rows are quarantined, a larger share"
            f" than var quarantine_share_max ({share_max:g}) allows"
        ),
    )


def _news_rules(
    source_name: str, table_name: str, share_max: float, published: RawCounts
) -> list[RowRule]:
    """Return the rules on what a table's rows have become since the last publication: warnings.

    Among the rows of years, a day of which all rows are bad is too few to stop a build; and a lake
    that lost most of its rows may be another's.
    """
    table, is_table = f"{source_name}.{table_name}", _is_table(source_name, table_name)
    came = f"(raw_rows - {published.rows})"
    reasons = (
        f"select reason_code as key from quality.dq_quarantined_rows where {is_table}"
        f" group by reason_code order by count(*) desc, key limit {SAMPLE_SIZE}"
    )
    return [
        RowRule(
            f"quarantined_share_of_new_{source_name}_{table_name}_is_at_most_{share_max:g}",
            ("quarantined_rows", "raw_rows"),
            f"{is_table} and {came} > 0 and quarantined_rows - {published.quarantined}"
            f" > greatest(1, {share_max!r} * {came})",
            severity="warning",
            sample=reasons,
            counted="quarantined_rows",
            says=(
                f"{table}: of the rows that came since the last publication a larger share is"
                f" quarantined than var quarantine_share_max ({share_max:g}) allows; {{count}} in"
                f" all, {published.quarantined} then"
            ),
        ),
        RowRule(
            f"{source_name}_{table_name}_keeps_most_of_its_rows",
            ("raw_rows",),
            f"{is_table} and raw_rows < {published.rows} / 2",
            severity="warning",
            sample="select 1 as key where false",
            counted="raw_rows",
            says=(
                f"{table}: {{count}} raw rows, less than half of the {published.rows} of what is"
                " published until now; is CX_RAW_PATH the lake of this warehouse?"
            ),
        ),
    ]


def _is_table(source_name: str, table_name: str) -> str:
    """Return the condition of a raw table's rows."""
    return f"source_name = {literal(source_name)} and table_name = {literal(table_name)}"
