"""The demo as a newcomer meets it: plain commands, and readers that never notice a build."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import duckdb

from conftest import CX, DBT, PROJECT, run_plainly

# A block of Python in the README, and what it prints where that follows.
README_BLOCK = re.compile(r"```bash\n(python .*?)```\n(?:\n```text\n(.*?)```)?", re.DOTALL)
# The public interface of what is built so far: every column that others may rely on.
MONEY = (
    "gross_sales discount_amount net_sales refund_amount shipping_amount other_amount net_revenue"
    " cost_of_goods payment_fee fulfilment_cost contribution_margin cost_quality"
)
INTERFACE = {
    "dim_persons": "person_id person_kind customer_ids first_seen_at first_order_at last_order_at"
    " order_count net_revenue contribution_margin acquisition_channel acquisition_promotion_id"
    " is_promo_acquired sales_channels rfm_segment lifecycle_stage value_tier latest_nps_score"
    " predicted_clv probability_alive email_hash",
    "dim_identity_links": "link_id person_id identifier_kind identifier identifier_id evidence"
    " valid_from valid_to",
    "dim_products": "product_id product_name category list_price unit_cost",
    "dim_promotions": "promotion_id promotion_code promotion_name promotion_kind starts_at ends_at"
    " is_sitewide",
    "dim_dates": "date_day week_start month_start quarter_start day_of_week",
    "fct_orders": "order_id person_id ordered_at order_date sales_channel store_id country status"
    " is_cancelled person_order_number is_first_order days_since_previous_order promotion_id"
    " discount_share is_promo_order session_id device_type item_count is_refund_mature"
    f" original_currency original_total exchange_rate tax_amount {MONEY}",
    "fct_order_items": f"order_item_id order_id product_id quantity returned_quantity {MONEY}",
    "fct_refunds": "refund_id order_id order_item_id refunded_at refund_amount tax_amount reason"
    " is_restocked days_to_refund",
    "fct_sales_movements": "movement_id order_id person_id movement_kind moved_at moved_date"
    f" {MONEY}",
    "fct_deliveries": "delivery_id order_id promised_at shipped_at delivered_at is_late days_late",
    "fct_ad_spend": "spend_date channel_group campaign spend impressions clicks",
    "fct_support_tickets": "ticket_id person_id order_id channel category created_at"
    " first_response_hours resolution_hours is_sla_breached is_reopened is_repeat_contact"
    " satisfaction_score cost_to_serve",
    "fct_nps_responses": "survey_id person_id survey_trigger sent_at responded_at score category"
    " value_tier_at_response order_id ticket_id days_since_last_ticket",
    "agg_nps": "period_month segment_name segment_value surveys_sent surveys_mature responses"
    " response_rate promoters passives detractors nps nps_standard_error nps_low nps_high",
    "fct_cohorts": "cohort_month segment_name segment_value period_number period_month cohort_size"
    " active_customers retention_rate orders net_revenue contribution_margin"
    " cumulative_margin_per_customer cost_known_share is_mature",
    "fct_sessions": "session_id anonymous_id person_id started_at ended_at duration_seconds"
    " event_count page_view_count landing_page exit_page channel_group utm_source utm_medium"
    " utm_campaign device_type country is_bounce intent is_converted order_id order_count"
    " net_revenue is_final",
    "fct_micro_conversions": "session_id micro_conversion person_id occurred_at stage polarity"
    " occurrence_count",
    "fct_searches": "event_id session_id person_id search_term result_count is_zero_result"
    " is_refinement led_to_product_view led_to_order",
    "fct_carts": "cart_id person_id created_at last_activity_at item_count cart_value"
    " checkout_started_at furthest_checkout_step outcome abandoned_at recovered_at"
    " recovered_by_channel recovered_by_campaign_id order_id session_count device_count is_mature",
    "fct_touchpoints": "touchpoint_id person_id occurred_at touch_kind is_attributable"
    " channel_group campaign journey_stage session_id order_id",
    "fct_channel_removal_effects": "period_month channel_group removal_effect share journeys"
    " conversions",
    "fct_attribution": "order_id touchpoint_id attribution_model credit attributed_revenue"
    " attributed_margin attributed_clv",
    "agg_channel_performance": "period_month channel_group attribution_model spend orders revenue"
    " margin clv cost_known_share cost_per_order return_on_ad_spend clv_to_cac",
    "fct_clv": "person_id frequency recency_days age_days monetary_value probability_alive"
    " expected_orders_90d expected_orders_365d expected_order_value predicted_clv"
    " predicted_clv_signed historic_clv clv_decile model_run_id is_identified",
    "fct_clv_models": "model_run_id model segment_name segment_value r r_standard_error alpha"
    " alpha_standard_error a a_standard_error b b_standard_error p p_standard_error q"
    " q_standard_error v v_standard_error log_likelihood customer_count calibration_end"
    " time_unit value_basis is_dropout_identified",
    "fct_person_months": "person_id month orders net_revenue contribution_margin"
    " cost_known_share sessions tickets cost_to_serve latest_nps_score rfm_segment value_tier"
    " predicted_clv",
    "fct_person_economics": "person_id contribution_margin cost_to_serve net_value"
    " acquisition_cost value_first_365d clv_to_cac payback_days cost_quality",
    "fct_micro_conversion_value": "micro_conversion segment_name segment_value session_count"
    " reach_rate conversion_rate_with conversion_rate_without adjusted_lift adjusted_lift_low"
    " adjusted_lift_high matched_share state_value_margin state_value_margin_low"
    " state_value_margin_high state_value_clv state_value_clv_low state_value_clv_high"
    " sample_is_sufficient",
    "fct_clv_backtest": "cutoff_date group_name group_value customers predicted_orders"
    " actual_orders predicted_value actual_value error_rate naive_predicted_orders",
    "fct_funnel_entries": "funnel_name person_id entered_at step_1_at step_2_at step_3_at"
    " step_4_at step_5_at step_6_at step_7_at step_8_at furthest_step is_converted is_mature"
    " device_type channel_group",
    "agg_funnel_daily": "funnel_name entry_date step_number device_type channel_group step_name"
    " entered entered_mature reached reached_mature reached_open conversion_rate_naive"
    " conversion_rate_mature rate_of_previous_step median_hours_from_previous",
    "dq_row_counts": "source_name table_name raw_rows staged_rows quarantined_rows duplicate_rows"
    " after_as_of_rows no_device_rows bot_rows is_balanced",
    "dq_quarantined_rows": "quarantine_id source_name table_name row_key reason_code reason"
    " raw_row",
    "dq_schema_drift": "source_name table_name column_name drift_kind drift_value row_count",
    "dq_late_arrivals": "source_name table_name loaded_date row_count late_row_count days_late_max",
    "dq_builds": "build_id settings_hash as_of lake_fingerprint",
    "dq_validation_results": "run_id suite expectation column_name success observed"
    " unexpected_count severity",
}


def test_plain_dbt_build_passes_with_all_its_unit_tests(tmp_path):
    target = tmp_path / "target"
    output = run_plainly(DBT, "build", "--target-path", target, folder=tmp_path / "warehouse")
    assert "ERROR=0" in output
    assert "unit_test" in output or "unit tests" in output
    run_plainly(DBT, "docs", "generate", "--target-path", target, folder=tmp_path / "warehouse")
    assert (target / "catalog.json").stat().st_size > 10000


def test_what_is_published_has_every_column_that_others_rely_on(published):
    with duckdb.connect(str(published / "serve.duckdb"), read_only=True) as con:
        found = con.execute(
            "select table_name, list(column_name) from duckdb_columns()"
            " where schema_name in ('marts', 'quality') group by table_name"
        ).fetchall()
    columns = {name: set(names) for name, names in found}
    for mart, expected in INTERFACE.items():
        assert set(expected.split()) <= columns[mart], mart


def test_the_readme_shows_what_its_queries_print(published):
    blocks = README_BLOCK.findall((PROJECT / "README.md").read_text())
    assert [bool(shown) for _, shown in blocks] == [False, True, True, True]
    for command, shown in blocks:
        printed = run_plainly("bash", "-c", command, folder=published, cwd=published.parent)
        assert not shown or printed.strip() == shown.strip()


def test_a_reader_that_reconnects_sees_one_whole_build_after_another(published, tmp_path):
    """Two builds of different meaning; whatever a reader opens agrees with itself."""
    warehouse = shutil.copytree(published, tmp_path / "warehouse", symlinks=True)
    builds_seen: set[str] = set()
    done = Event()

    def read() -> None:
        is_last = False
        while not is_last:
            is_last = done.wait(0.2)
            with duckdb.connect(str(warehouse / "serve.duckdb"), read_only=True) as con:
                [(build_id, as_of)] = con.execute(
                    "select build_id, as_of from quality.dq_builds"
                ).fetchall()
                [(last, orders, moved)] = con.execute(
                    "select max(ordered_at), sum(net_revenue) filter (where not is_cancelled),"
                    " (select sum(net_revenue) from marts.fct_sales_movements)"
                    " from marts.fct_orders"
                ).fetchall()
            assert last <= as_of
            assert orders == moved
            builds_seen.add(build_id)

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        try:
            run_plainly(CX, "build", "--vars", "{as_of: 2024-06-30}", folder=warehouse)
        finally:
            done.set()
        reader.result()
    assert len(builds_seen) == 2
