"""Mia, the demo's customer written by hand in data/story.yml, followed through every mart."""

from __future__ import annotations

import re
import shutil
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq
import pytest

from conftest import DEMO, PROJECT, BuildLake, Warehouse, load_script
from cx_warehouse.settings import CxError

if TYPE_CHECKING:
    from types import ModuleType

HERS = "person_id = left(md5('customer_id:c-mia'), 20)"
HER_ORDERS = "order_id in ('o-mia-1', 'o-mia-2')"
PHONE, TABLET = "d-mia-phone", "d-mia-tablet"
AGGREGATES = (
    *("fct_cohorts", "agg_nps", "agg_funnel_daily", "fct_channel_removal_effects"),
    *("agg_channel_performance", "fct_clv_models", "fct_clv_backtest"),
    "fct_micro_conversion_value",
)
HER_SEGMENTS = {
    "all": "all",
    "acquisition_channel": "paid_social",
    "is_promo_acquired": "false",
    "first_category": "kitchen",
    "country": "DE",
    "survey_trigger": "post_purchase",
    # no month of hers had ended when she was asked
    "value_tier": "unknown",
}
# Places among all customers and fits of all of them, which move with every one of them.
RELATIVE = {
    "dim_persons": "rfm_segment, value_tier, predicted_clv, probability_alive",
    "fct_person_months": "rfm_segment, value_tier, predicted_clv",
    "fct_nps_responses": "value_tier_at_response",
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2024-{text}")


def euros(*amounts: str) -> list[Decimal]:
    return [Decimal(amount) for amount in amounts]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script(PROJECT / "data" / "make_demo.py")


@pytest.fixture(scope="module")
def without_her(build_lake: BuildLake, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Build the demo without her rows: what differs is hers."""
    lake = tmp_path_factory.mktemp("without_her") / "lake"
    shutil.copytree(DEMO, lake, ignore=shutil.ignore_patterns("*hand-written*"))
    return build_lake(lake)


def added(
    demo: Warehouse, without_her: Warehouse, keys: str, amounts: str, table: str
) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return by how much her rows raise the amounts of a table, where they do."""
    names = amounts.split(", ")
    sums = ", ".join(f"sum(coalesce(hers.{n}, 0) - coalesce(others.{n}, 0))" for n in names)
    sql = f"""
        attach '{demo.path}' as hers (read_only);
        attach '{without_her.path}' as others (read_only);
        select {keys}, {sums}
        from hers.{table} as hers full join others.{table} as others using ({keys})
        group by all order by all
    """
    with duckdb.connect() as con:
        rows = con.execute(sql).fetchall()
    width = len(keys.split(", "))
    return {row[:width]: row[width:] for row in rows if any(row[width:])}


def her_segments(demo: Warehouse, mart: str) -> list[tuple[str, str]]:
    names = demo.query(f"select distinct segment_name from marts.{mart}")
    return [(name, HER_SEGMENTS[name]) for (name,) in names]


# The lake.


def test_the_demo_is_what_the_script_writes(script, tmp_path):
    lake = tmp_path / "lake"
    script.make_demo(lake)
    files = sorted(path.relative_to(lake) for path in lake.rglob("*.parquet"))
    assert files == sorted(path.relative_to(DEMO) for path in DEMO.rglob("*.parquet"))
    for file in files:
        expected, found = pq.read_table(lake / file), pq.read_table(DEMO / file)
        assert found.equals(expected), f"{file}: run data/make_demo.py again"


def test_the_demo_stays_small():
    assert sum(path.stat().st_size for path in DEMO.rglob("*.parquet")) < 5_000_000


def test_a_misspelt_column_of_the_story_is_named(script, tmp_path):
    folder = tmp_path / "referrals"
    shutil.copytree(DEMO / "marketing" / "referrals", folder)
    with pytest.raises(CxError, match="referrals has no column shard_via"):
        script.add_rows(folder, [{"referral_id": "f-mia", "shard_via": "whatsapp"}])


def test_what_she_names_is_there_in_the_shop(script, demo):
    rows = script.read_story()
    products = {row["product_id"] for row in rows["web.events"] if "product_id" in row}
    assert products == {row["product_id"] for row in rows["storefront.order_items"]}
    campaigns = {row["campaign_id"] for row in rows["email.email_events"]}
    assert demo.query(
        f"select count(*) from staging.stg_email__campaigns"
        f" where row_bucket = 'staged' and campaign_id in {(*campaigns,)}"
    ) == [(3,)]
    assert demo.query(
        f"select product_id, category, list_price, unit_cost from marts.dim_products"
        f" where product_id in {(*products,)} order by product_id"
    ) == [
        ("p000043", "paper", *euros("8.29", "2.50")),
        ("p000144", "kitchen", *euros("22.19", "11.37")),
        ("p000188", "kitchen", *euros("32.79", "10.19")),
    ]
    assert demo.query(
        "select promotion_code, promotion_kind from marts.dim_promotions"
        " where promotion_id = 'promo-thanks10'"
    ) == [("THANKS10", "loyalty")]


def test_all_her_rows_are_staged(script, demo, without_her):
    her_rows = {tuple(name.split(".")): len(rows) for name, rows in script.read_story().items()}
    assert sum(her_rows.values()) == 51
    buckets = (
        "raw_rows, staged_rows, quarantined_rows, duplicate_rows, after_as_of_rows,"
        " no_device_rows, bot_rows"
    )
    assert added(
        demo, without_her, "source_name, table_name", buckets, "quality.dq_row_counts"
    ) == {name: (count, count, 0, 0, 0, 0, 0) for name, count in her_rows.items()}


def test_the_year_ends_where_the_shop_does(demo):
    assert demo.query("select cast(as_of as date) from quality.dq_builds") == [
        (date(2024, 12, 30),)
    ]
    assert demo.query(
        "select max(date_day), bool_or(date_day = '2024-04-09') from marts.dim_dates"
    ) == [(date(2024, 12, 30), True)]


# Who she is.


def test_two_devices_an_account_and_an_address_are_one_person(demo):
    assert demo.query(
        f"""
        select
            person_kind, customer_ids, first_seen_at, first_order_at, last_order_at, order_count,
            net_revenue, contribution_margin, acquisition_channel, acquisition_promotion_id,
            is_promo_acquired, sales_channels, latest_nps_score
        from marts.dim_persons
        where {HERS}
        """
    ) == [
        (
            *("customer", ["c-mia"]),
            *(at("04-09 12:14:05"), at("04-09 19:46:12"), at("10-08 19:15:30")),
            *(2, *euros("65.62", "26.67")),
            # the ad, although the visit that bought was a direct one
            *("paid_social", None, False, "online_only", 9),
        )
    ]


def test_each_link_has_its_evidence(demo):
    """The chat knows the phone, the click in the reminder the tablet."""
    rows = demo.query(
        f"select identifier_kind, identifier, linked_kind, evidence, valid_from"
        f" from marts.dim_identity_links where {HERS}"
    )
    devices = [row[1:4] for row in rows if row[0] == "anonymous_id"]
    assert sorted(devices) == [
        (PHONE, "customer_id", "email_click"),
        (PHONE, "email_hash", "login"),
        (TABLET, "customer_id", "email_click"),
        (TABLET, "customer_id", "login"),
        (TABLET, "customer_id", "order"),
        (TABLET, "email_hash", "email_click"),
    ]
    accounts = {(row[3], row[4]) for row in rows if row[0] == "customer_id"}
    assert accounts == {
        ("account", at("04-09 19:41:00")),
        ("login", at("04-09 19:41:00")),
        ("order", at("04-09 19:46:12")),
        ("referral", at("04-13 10:03:10")),
        ("email", at("04-18 19:46:12")),
        ("survey", at("04-19 11:05:00")),
    }
    [address] = {row[1] for row in rows if row[0] == "email_hash"}
    assert demo.query(f"select email_hash from marts.dim_persons where {HERS}") == [(address,)]


# What she did.


def test_she_visits_five_times(demo):
    rows = demo.query(
        f"""
        select
            started_at, ended_at, anonymous_id, device_type, channel_group, utm_campaign,
            landing_page, exit_page, intent, event_count, is_bounce, is_final, order_id, net_revenue
        from marts.fct_sessions
        where {HERS}
        order by started_at
        """
    )
    assert [row[:5] for row in rows] == [
        (at("04-09 12:14:05"), at("04-09 12:25:20"), PHONE, "mobile", "paid_social"),
        (at("04-09 19:38:35"), at("04-09 19:46:12"), TABLET, "tablet", "direct"),
        (at("04-13 10:02:00"), at("04-13 10:03:10"), PHONE, "mobile", "direct"),
        (at("04-18 20:31:34"), at("04-18 20:33:00"), PHONE, "mobile", "email"),
        (at("10-08 19:08:24"), at("10-08 19:15:30"), TABLET, "tablet", "email"),
    ]
    assert [row[5:10] for row in rows] == [
        ("prospecting", "/c/kitchen", "/cart", "research", 8),
        (None, "/cart", "/checkout/thank-you", "purchase", 6),
        (None, "/p/p000144", "/p/p000144", "research", 2),
        ("flow-post_purchase", "/blog/gift-ideas", "/c/kitchen", "research", 2),
        ("flow-loyalty", "/c/kitchen", "/checkout/thank-you", "research", 10),
    ]
    assert [row[10:12] for row in rows] == [(False, True)] * 5
    assert [row[12:] for row in rows] == [
        (None, *euros("0.00")),
        ("o-mia-1", *euros("36.70")),
        (None, *euros("0.00")),
        (None, *euros("0.00")),
        ("o-mia-2", *euros("28.92")),
    ]


def test_her_small_steps_are_written_down(demo):
    rows = demo.query(
        f"select micro_conversion, occurred_at, stage, occurrence_count"
        f" from marts.fct_micro_conversions where {HERS} and occurred_at < '2024-04-14'"
        f" order by occurred_at"
    )
    assert rows == [
        ("product_view", at("04-09 12:14:40"), "research", 2),
        ("review_viewed", at("04-09 12:15:55"), "consider", 1),
        ("chat_started", at("04-09 12:17:10"), "consider", 1),
        ("add_to_cart", at("04-09 12:23:30"), "cart", 2),
        ("cart_view", at("04-09 12:25:20"), "cart", 1),
        ("cart_view", at("04-09 19:38:35"), "cart", 1),
        ("account_registered", at("04-09 19:41:00"), "consider", 1),
        ("checkout_started", at("04-09 19:41:20"), "checkout", 1),
        ("shipping_entered", at("04-09 19:43:05"), "checkout", 1),
        ("payment_info_entered", at("04-09 19:44:50"), "checkout", 1),
        ("product_view", at("04-13 10:02:00"), "research", 1),
        ("social_share", at("04-13 10:03:10"), "recommend", 1),
    ]


def test_her_visits_count_in_the_segments_that_they_are_in(demo, without_her):
    """She fills a cart on her first visit, by phone, and on her last, by tablet."""
    keys = "micro_conversion, segment_name, segment_value"
    gained = added(demo, without_her, keys, "session_count", "marts.fct_micro_conversion_value")
    for name, counts in {
        "add_to_cart": {"all": 2, "mobile": 1, "tablet": 1, "true": 1, "false": 1},
        "social_share": {"all": 1, "mobile": 1, "false": 1},
        "checkout_started": {"all": 2, "tablet": 2, "false": 2},
    }.items():
        found = {key[2]: count for key, (count,) in gained.items() if key[0] == name}
        assert found == counts


def test_she_knew_where_to_look(demo):
    assert demo.query(f"select * from marts.fct_searches where {HERS}") == []


def test_her_cart_waited_for_the_reminder_and_was_bought_on_the_tablet(demo):
    rows = demo.query(
        f"select cart_id, outcome, abandoned_at, recovered_at, recovered_by_channel,"
        f" recovered_by_campaign_id, order_id, session_count, device_count, is_mature"
        f" from marts.fct_carts where {HERS} order by created_at"
    )
    reminded = (at("04-09 18:30:00"), at("04-09 19:46:12"), "email", "flow-cart_reminder")
    assert rows == [
        ("k-mia-1", "recovered", *reminded, "o-mia-1", 2, 2, True),
        ("k-mia-2", "ordered", None, None, None, None, "o-mia-2", 1, 1, True),
    ]


def test_every_touch_of_hers_stands_in_her_journey(demo):
    rows = demo.query(
        f"select strftime(occurred_at, '%m-%d %H:%M'), touch_kind, channel_group, campaign,"
        f" journey_stage, order_id from marts.fct_touchpoints where {HERS}"
        f" order by occurred_at, touch_kind"
    )
    before = "pre_purchase"
    assert [row[:-1] if row[-1] is None else row for row in rows] == [
        ("04-09 12:14", "session", "paid_social", "prospecting", before),
        ("04-09 12:17", "chat", None, None, before),
        ("04-09 12:17", "ticket", None, None, before),
        ("04-09 19:38", "email_open", "email", "cart reminder", before),
        ("04-09 19:38", "email_click", "email", "cart reminder", before, "o-mia-1"),
        ("04-12 11:05", "delivery", None, None, "post_purchase", "o-mia-1"),
        # she looked at a product again: from here on she is on her way to the next order
        ("04-13 10:02", "session", "direct", None, before),
        ("04-13 10:03", "share", None, None, before),
        ("04-13 10:03", "share", None, None, before),
        ("04-18 20:31", "email_open", "email", "post purchase", before),
        ("04-18 20:31", "email_click", "email", "post purchase", before),
        ("04-19 11:05", "survey", None, None, before, "o-mia-1"),
        ("10-08 19:07", "email_open", "email", "loyalty", before),
        ("10-08 19:08", "email_click", "email", "loyalty", before, "o-mia-2"),
        ("10-11 15:40", "delivery", None, None, "post_purchase", "o-mia-2"),
    ]


def test_the_chain_of_her_month_knows_her_channels(demo):
    rows = dict(
        demo.query(
            "select channel_group, conversions from marts.fct_channel_removal_effects"
            " where period_month = '2024-04-01' and removal_effect > 0"
        )
    )
    assert rows["paid_social"] > 0
    assert rows["email"] > 0


def test_the_ad_and_the_reminder_share_what_she_bought_first(demo):
    rows = demo.query(
        "select attribution_model, channel_group, credit, attributed_revenue"
        " from marts.fct_attribution inner join marts.fct_touchpoints using (touchpoint_id)"
        " where fct_attribution.order_id = 'o-mia-1' and credit > 0"
    )
    shared = {(model, channel): (credit, money) for model, channel, credit, money in rows}
    ad, reminder = "paid_social", "email"
    whole, half = (1.0, Decimal("36.70")), (0.5, Decimal("18.35"))
    assert shared["first_touch", ad] == whole
    assert shared["last_touch", reminder] == shared["last_non_direct", reminder] == whole
    for model in ("linear", "position_based", "shapley"):
        assert shared[model, ad] == shared[model, reminder] == half
    # the ad was seven and a half hours earlier
    assert half[0] > shared["time_decay", ad][0] > half[0] - 0.02
    for model in ("markov", "time_decay"):
        assert sum(shared[model, channel][1] for channel in (ad, reminder)) == whole[1]
    assert len(shared) == 3 + 2 * 5


def test_her_channels_earned_what_she_paid(demo, without_her):
    """Under last_touch nobody else's credits depend on her."""
    table = "(from {}.marts.agg_channel_performance where attribution_model = 'last_touch')"
    sql = f"""
        attach '{demo.path}' as hers (read_only);
        attach '{without_her.path}' as others (read_only);
        select
            strftime(period_month, '%m'), channel_group, hers.orders - coalesce(others.orders, 0),
            hers.revenue - coalesce(others.revenue, 0), hers.margin - coalesce(others.margin, 0)
        from {table.format("hers")} as hers
        left join {table.format("others")} as others using (period_month, channel_group)
        where hers.orders is distinct from others.orders order by all
    """
    with duckdb.connect() as con:
        rows = con.execute(sql).fetchall()
    assert [row[:4] for row in rows] == [
        ("04", "email", 1.0, Decimal("36.70")),
        ("10", "email", 1.0, Decimal("28.92")),
    ]
    assert sum(row[4] for row in rows) == Decimal("26.67")


def test_she_is_expected_to_come_back_and_everybody_else_hardly_otherwise(demo, without_her):
    """Two orders, the second half a year later: one customer of 1,400 moves no parameter by 2 %."""
    [(frequency, recency, historic, predicted, alive)] = demo.query(
        "select frequency, recency_days, historic_clv, predicted_clv, probability_alive"
        f" from marts.fct_clv where {HERS}"
    )
    assert (frequency, recency, historic) == (1, 182, Decimal("26.67"))
    assert 0.5 < alive < 1
    assert predicted > 0
    fits = "select r, alpha, p, q from marts.fct_clv_models"
    [hers], [others] = demo.query(fits), without_her.query(fits)
    assert hers == pytest.approx(others, rel=0.02)


def test_she_is_one_of_those_who_came_back_after_a_cutoff(demo, without_her):
    """Her first order is one of the 180 days before July, and of none of the 90 before October."""
    keys = "cutoff_date, group_name, group_value"
    counts = "customers, actual_orders, naive_predicted_orders"
    gained = added(demo, without_her, keys, counts, "marts.fct_clv_backtest")
    assert {key: row for key, row in gained.items() if key[1] != "decile"} == {
        (cutoff, *group): (1, 1, repeated)
        for cutoff, repeated in ((date(2024, 7, 3), 1), (date(2024, 10, 1), 0))
        for group in (("all", "all"), ("cohort", "2024-04-01"))
    }


def test_what_she_brought_has_not_paid_back_what_the_ads_of_her_month_cost(demo):
    """Of the year that her first order is valued by, a quarter is still to come."""
    [row] = demo.query(
        "select contribution_margin, cost_to_serve, net_value, acquisition_cost, payback_days,"
        f" value_first_365d from marts.fct_person_economics where {HERS}"
    )
    margin, served, net, acquired, payback, value = row
    assert margin == Decimal("26.67")
    assert served > 0
    assert net == margin - served
    spent = "select sum(spend) from marts.fct_ad_spend where channel_group = 'paid_social'"
    [(spend,)] = demo.query(f"{spent} and month(spend_date) = 4 and year(spend_date) = 2024")
    [(persons,)] = demo.query(
        "select count(*) from marts.dim_persons where acquisition_channel = 'paid_social'"
        " and first_order_at between '2024-04-01' and '2024-05-01'"
    )
    assert float(acquired) == pytest.approx(float(spend) / persons, abs=0.005)
    assert acquired > margin
    assert payback is None
    # the second order is of the seventh month, discounted by as many
    realised = 13.47 + 13.20 / 1.01**6
    assert realised < float(value) < realised + 15
    [(shared,)] = demo.query(
        "select sum(attributed_clv) from marts.fct_attribution"
        " where order_id = 'o-mia-1' and attribution_model = 'linear'"
    )
    assert shared == value


def test_her_months_run_from_the_first_order_to_the_last_that_has_ended(demo):
    rows = demo.query(
        "select strftime(month, '%m'), orders, net_revenue, contribution_margin, tickets,"
        f" latest_nps_score from marts.fct_person_months where {HERS} order by month"
    )
    nothing = (0, Decimal("0.00"), Decimal("0.00"))
    [(score, tickets)] = demo.query(
        f"select (select max(score) from marts.fct_nps_responses where {HERS}),"
        f" (select count(*) from marts.fct_support_tickets where {HERS})"
    )
    assert [row[:4] for row in rows] == [
        ("04", 1, Decimal("36.70"), Decimal("13.47")),
        *[(f"{month:02}", *nothing) for month in range(5, 10)],
        ("10", 1, Decimal("28.92"), Decimal("13.20")),
        ("11", *nothing),
    ]
    assert {row[5] for row in rows} == {score}
    assert sum(row[4] for row in rows) == tickets
    [(stage, tier, predicted, orders)] = demo.query(
        "select lifecycle_stage, value_tier, predicted_clv, order_count"
        f" from marts.dim_persons where {HERS}"
    )
    # of two orders, the last one in October
    assert (stage, orders) == ("active", 2)
    assert tier == "rest"
    assert [(predicted,)] == demo.query(f"select predicted_clv from marts.fct_clv where {HERS}")


def test_the_ad_was_paid_for(demo):
    [(clicks,)] = demo.query(
        "select clicks from marts.fct_ad_spend where spend_date = '2024-04-09'"
        " and channel_group = 'paid_social' and campaign = 'prospecting'"
    )
    assert clicks > 0


def test_her_funnels_run_across_devices(demo):
    rows = demo.query(
        f"""
        select
            fct_funnel_entries.* exclude (person_id, step_5_at, step_6_at, step_7_at, step_8_at)
        from marts.fct_funnel_entries
        where {HERS}
        order by entered_at, funnel_name
        """
    )
    entries = [(row[0], [step for step in row[2:6] if step], row[6:9]) for row in rows]
    assert entries == [
        (
            "purchase",
            [
                at("04-09 12:14:40"),
                at("04-09 12:23:30"),
                at("04-09 19:41:20"),
                at("04-09 19:46:12"),
            ],
            (4, True, True),
        ),
        (
            "account",
            [at("04-09 12:25:20"), at("04-09 19:41:00"), at("04-09 19:46:12")],
            (3, True, True),
        ),
        ("purchase", [at("04-13 10:02:00")], (1, False, True)),
        (
            "purchase",
            [
                at("10-08 19:09:30"),
                at("10-08 19:11:00"),
                at("10-08 19:12:25"),
                at("10-08 19:15:30"),
            ],
            (4, True, True),
        ),
        # she has an account already
        ("account", [at("10-08 19:11:40")], (1, False, True)),
    ]
    assert demo.query(
        f"select device_type, channel_group, count(*) from marts.fct_funnel_entries"
        f" where {HERS} group by all order by all"
    ) == [("mobile", "direct", 1), ("mobile", "paid_social", 2), ("tablet", "email", 2)]


def test_her_entries_are_counted_on_the_day_and_channel_they_began(demo, without_her):
    keys = "funnel_name, entry_date, device_type, channel_group, step_number"
    counts = "entered, entered_mature, reached, reached_mature"
    april, saturday, october = date(2024, 4, 9), date(2024, 4, 13), date(2024, 10, 8)
    step = {True: (1, 1, 1, 1), False: (1, 1, 0, 0)}
    expected = {}
    for *entry, reached, steps in (
        ("purchase", april, "mobile", "paid_social", 4, 4),
        ("purchase", saturday, "mobile", "direct", 1, 4),
        ("purchase", october, "tablet", "email", 4, 4),
        ("account", april, "mobile", "paid_social", 3, 3),
        ("account", october, "tablet", "email", 1, 3),
    ):
        expected |= {(*entry, n): step[n <= reached] for n in range(1, steps + 1)}
    assert added(demo, without_her, keys, counts, "marts.agg_funnel_daily") == expected


# What she bought.


def test_she_orders_twice(demo):
    rows = demo.query(
        f"""
        select
            order_id, ordered_at, person_order_number, days_since_previous_order, promotion_id,
            is_promo_order, sales_channel, device_type, status, item_count, cost_quality,
            original_total, tax_amount, is_refund_mature
        from marts.fct_orders
        where {HERS}
        order by ordered_at
        """
    )
    assert [row[:6] for row in rows] == [
        ("o-mia-1", at("04-09 19:46:12"), 1, None, None, False),
        # thanks for loyalty are no promotion that won the order
        ("o-mia-2", at("10-08 19:15:30"), 2, 182, "promo-thanks10", False),
    ]
    assert [row[6:] for row in rows] == [
        ("online", "tablet", "delivered", 3, "actual", *euros("43.67", "6.97"), True),
        ("online", "tablet", "delivered", 1, "actual", *euros("34.41", "5.49"), True),
    ]
    assert demo.query(
        f"select fct_orders.order_id from marts.fct_orders"
        f" inner join marts.fct_sessions"
        f" on fct_orders.session_id = fct_sessions.session_id"
        f" and fct_orders.order_id = fct_sessions.order_id"
        f" where fct_orders.{HERS} order by all"
    ) == [("o-mia-1",), ("o-mia-2",)]


MONEY = (
    "gross_sales, discount_amount, net_sales, refund_amount, shipping_amount, net_revenue,"
    " cost_of_goods, payment_fee, fulfilment_cost, contribution_margin"
)
# Prices hold the tax: each part keeps 1 - 6.97 / 43.67 and 1 - 5.49 / 34.41 of itself.
FIRST = euros(
    *("32.58", "0.00", "32.58", "0.00", "4.12", "36.70"), *("16.37", "0.86", "6.00", "13.47")
)
SECOND = euros(
    *("27.56", "2.76", "24.80", "0.00", "4.12", "28.92"), *("10.19", "0.73", "4.80", "13.20")
)


def test_her_money_is_right_to_the_cent(demo):
    assert demo.query(f"select {MONEY} from marts.fct_orders where {HERS} order by ordered_at") == [
        tuple(FIRST),
        tuple(SECOND),
    ]
    assert demo.query(
        f"select movement_kind, moved_at, moved_date, {MONEY}"
        f" from marts.fct_sales_movements where {HERS} order by moved_at"
    ) == [
        ("sale", at("04-09 19:46:12"), date(2024, 4, 9), *FIRST),
        ("sale", at("10-08 19:15:30"), date(2024, 10, 8), *SECOND),
    ]
    assert demo.query(
        f"select order_item_id, product_id, quantity, {MONEY}"
        f" from marts.fct_order_items where {HER_ORDERS} order by order_item_id"
    ) == [
        (
            *("i-mia-1", "p000144", 1),
            *euros("18.65", "0.00", "18.65", "0.00", "2.36", "21.01"),
            *euros("11.37", "0.49", "3.43", "5.72"),
        ),
        (
            *("i-mia-2", "p000043", 2),
            *euros("13.93", "0.00", "13.93", "0.00", "1.76", "15.69"),
            *euros("5.00", "0.37", "2.57", "7.75"),
        ),
        ("i-mia-3", "p000188", 1, *SECOND),
    ]
    assert not demo.query(f"select * from marts.fct_refunds where {HER_ORDERS}")


def test_her_parcels_come_in_time(demo):
    assert demo.query(
        f"select delivery_id, delivered_at, is_late, days_late"
        f" from marts.fct_deliveries where {HER_ORDERS} order by delivery_id"
    ) == [
        ("v-mia-1", at("04-12 11:05:00"), False, 0),
        ("v-mia-2", at("10-11 15:40:00"), False, 0),
    ]


# What she said.


def test_the_chat_answers_within_its_promise(demo):
    assert demo.query(
        f"""
        select
            ticket_id, order_id, channel, category, created_at, round(first_response_hours, 6),
            round(resolution_hours, 6), is_sla_breached, is_reopened, is_repeat_contact,
            satisfaction_score, cost_to_serve
        from marts.fct_support_tickets
        where {HERS}
        """
    ) == [
        (
            *("t-mia", None, "chat", "question", at("04-09 12:17:10"), 0.025, 0.1),
            # four minutes at 60 cents
            *(False, False, False, 5, *euros("2.40")),
        )
    ]


def test_she_would_recommend_the_shop(demo):
    assert demo.query(
        f"""
        select
            survey_id, survey_trigger, sent_at, responded_at, score, category, order_id, ticket_id,
            days_since_last_ticket
        from marts.fct_nps_responses
        where {HERS}
        """
    ) == [
        (
            *("s-mia", "post_purchase", at("04-19 11:05:00"), at("04-20 08:12:00"), 9),
            *("promoter", "o-mia-1", None, 11),
        )
    ]


def test_her_answer_counts_in_her_segments(demo, without_her):
    counts = "surveys_sent, surveys_mature, responses, promoters, passives, detractors"
    keys = "period_month, segment_name, segment_value"
    assert added(demo, without_her, keys, counts, "marts.agg_nps") == {
        (date(2024, 4, 1), *segment): (1, 1, 1, 1, 0, 0)
        for segment in her_segments(demo, "agg_nps")
    }


# What she is worth, and that nobody else changed.


def test_her_cohorts_gain_a_customer_who_returns_in_the_sixth_month(demo, without_her):
    keys = "cohort_month, segment_name, segment_value, period_number"
    amounts = "cohort_size, active_customers, orders, net_revenue, contribution_margin"
    first, second = euros("36.70", "13.47"), euros("28.92", "13.20")
    nothing = euros("0.00", "0.00")
    assert added(demo, without_her, keys, amounts, "marts.fct_cohorts") == {
        (date(2024, 4, 1), *segment, period): (1, *row)
        for segment in her_segments(demo, "fct_cohorts")
        for period, row in enumerate(
            [(1, 1, *first), *[(0, 0, *nothing)] * 5, (1, 1, *second), *[(0, 0, *nothing)] * 2]
        )
    }


def test_her_rows_change_nobody_elses(demo, without_her):
    with duckdb.connect() as con:
        con.execute(f"attach '{demo.path}' as hers (read_only)")
        con.execute(f"attach '{without_her.path}' as others (read_only)")
        for (mart,) in demo.query(
            "select table_name from duckdb_tables() where schema_name='marts'"
        ):
            # her purchases move the fit that predicts everybody
            if mart not in {*AGGREGATES, "fct_clv", "fct_person_economics"}:
                columns = f"* exclude ({RELATIVE[mart]})" if mart in RELATIVE else "*"
                gone = " except all ".join(
                    f"select {columns} from {shop}.marts.{mart}" for shop in ("others", "hers")
                )
                assert not con.execute(gone).fetchall(), mart


def test_the_story_passes_through_every_mart(demo):
    """A new mart needs an assertion here."""
    told = set(re.findall(r"marts\.(\w+)", Path(__file__).read_text()))
    marts = demo.query("select table_name from duckdb_tables() where schema_name = 'marts'")
    assert not {name for (name,) in marts} - told
