"""Each rule of the raw contract catches the row planted for it, and nothing else is set aside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from conftest import BuildLake, Warehouse, order, write_lake

if TYPE_CHECKING:
    from pathlib import Path

AT = "2024-03-01 12:00:00"
GOOD = {
    "storefront/orders": order("o-good", customer_id="c-1", email="A@x.example"),
    "storefront/order_items": {
        "order_item_id": "i-good",
        "order_id": "o-good",
        "product_id": "p-1",
        "quantity": "1",
        "unit_price": "10",
    },
    "storefront/customers": {"customer_id": "c-1", "created_at": AT, "email": "a@x.example"},
    "storefront/products": {"product_id": "p-1", "product_name": "Lamp"},
    "storefront/refunds": {
        "refund_id": "r-good",
        "order_id": "o-good",
        "refunded_at": "2024-03-02 12:00:00",
        "amount": "-1.00",
    },
    "storefront/deliveries": {"delivery_id": "d-good", "order_id": "o-good", "shipped_at": AT},
    "storefront/promotions": {
        "promotion_id": "m-good",
        "promotion_name": "Spring",
        "starts_at": AT,
        "ends_at": AT,
    },
    "storefront/exchange_rates": {
        "rate_date": "2024-03-01",
        "currency": "USD",
        "rate_to_base": "0.9",
    },
    "web/events": {
        "event_id": "e-good",
        "anonymous_id": "a",
        "occurred_at": AT,
        "event_name": "page_view",
        "items": '[{"engraving": "secret"}]',
        "properties": '{"note": "secret"}',
    },
    "experiments/experiments": {
        "experiment_id": "x-good",
        "experiment_name": "Button",
        "control_variant": "a",
        "starts_at": AT,
    },
    "experiments/exposures": {
        "experiment_id": "x-good",
        "variant": "a",
        "anonymous_id": "a",
        "exposed_at": AT,
    },
    "support/tickets": {
        "ticket_id": "t-good",
        "created_at": AT,
        "satisfaction_score": "good",
        "subject": "secret subject",
    },
    "feedback/nps_surveys": {"survey_id": "s-good", "sent_at": AT, "comment": "secret comment"},
    "feedback/reviews": {
        "review_id": "v-good",
        "product_id": "p-1",
        "rating": "5.0",
        "reviewed_at": AT,
    },
    "email/campaigns": {"campaign_id": "k-good", "campaign_name": "News"},
    "email/email_events": {
        "email_event_id": "ee-good",
        "message_id": "m",
        "campaign_id": "k-good",
        "event_type": "open",
        "occurred_at": AT,
    },
    "marketing/ad_spend": {
        "spend_date": "2024-03-01",
        "channel": "google",
        "currency": "EUR",
        "spend": "5",
    },
    "marketing/referrals": {
        "referral_id": "f-good",
        "referrer_customer_id": "c-1",
        "invited_at": AT,
    },
}
# table, changed values of its good row (the first is the key), the reason that it must get
BAD = [
    ("storefront/orders", {"order_id": "o-1", "currency": " "}, "required_empty"),
    ("storefront/orders", {"order_id": "o-2", "order_total": None}, "required_empty"),
    ("storefront/orders", {"order_id": "o-3", "ordered_at": "yesterday"}, "cast_failed"),
    ("storefront/orders", {"order_id": "o-4", "tax_total": "ten"}, "cast_failed"),
    ("storefront/orders", {"order_id": "o-5", "item_total": "-10"}, "negative"),
    (
        "storefront/orders",
        {"order_id": "o-6", "cancelled_at": "2024-02-01 00:00:00"},
        "end_before_start",
    ),
    (
        "storefront/orders",
        {"order_id": "o-7", "ordered_at": "1970-01-01 00:00:00"},
        "implausible_time",
    ),
    (
        "storefront/orders",
        {"order_id": "o-8", "ordered_at": "2999-01-01 00:00:00"},
        "implausible_time",
    ),
    (
        "storefront/orders",
        {"order_id": "o-9", "_loaded_at": "2024-02-01 00:00:00"},
        "implausible_time",
    ),
    ("storefront/orders", {"order_id": "o-10", "order_total": "10.03"}, "total_mismatch"),
    ("storefront/orders", {"order_id": "o-11", "currency": "GBP"}, "missing_rate"),
    (
        "storefront/orders",
        {"order_id": "o-12", "currency": "USD", "ordered_at": "2024-03-09 12:00:00"},
        "missing_rate",
    ),
    # a column too few: what is personal stands in another one
    (
        "storefront/orders",
        {"order_id": "o-13", "order_total": "anna@x.example", "status": "Anna@x.example"},
        "cast_failed",
    ),
    (
        "storefront/order_items",
        {"order_item_id": "i-1", "quantity": "1", "unit_price": "-1"},
        "negative",
    ),
    ("storefront/order_items", {"order_item_id": "i-2", "order_id": "nowhere"}, "order_missing"),
    ("storefront/order_items", {"order_item_id": "i-3", "order_id": "o-10"}, "order_missing"),
    ("storefront/order_items", {"order_item_id": "i-4", "order_id": "o-11"}, "order_missing"),
    ("storefront/customers", {"customer_id": "c-2", "accepts_marketing": "maybe"}, "cast_failed"),
    ("storefront/products", {"product_id": "p-2", "unit_cost": "-3"}, "negative"),
    ("storefront/refunds", {"refund_id": "r-1", "order_id": "nowhere"}, "order_missing"),
    ("storefront/refunds", {"refund_id": "r-2", "amount": "nan"}, "cast_failed"),
    ("storefront/deliveries", {"delivery_id": "d-1", "order_id": "nowhere"}, "order_missing"),
    (
        "storefront/deliveries",
        {"delivery_id": "d-2", "delivered_at": "2024-02-01 00:00:00"},
        "end_before_start",
    ),
    (
        "storefront/promotions",
        {"promotion_id": "m-1", "ends_at": "2024-02-01 00:00:00"},
        "end_before_start",
    ),
    ("storefront/exchange_rates", {"rate_date": "2024-03-05", "rate_to_base": "0"}, "out_of_range"),
    (
        "storefront/exchange_rates",
        {"rate_date": "2024-03-06", "rate_to_base": "inf"},
        "cast_failed",
    ),
    ("storefront/exchange_rates", {"rate_date": "30.02.2024"}, "cast_failed"),
    ("storefront/exchange_rates", {"rate_date": "24-03-07"}, "implausible_time"),
    ("web/events", {"event_id": None}, "required_empty"),
    (
        "web/events",
        {"event_id": "e-1", "received_at": "2024-02-01 00:00:00"},
        "implausible_time",
    ),
    ("web/events", {"event_id": None, "event_value": "anna@x.example"}, "required_empty"),
    ("web/events", {"event_id": "e-2", "search_result_count": "1.5"}, "cast_failed"),
    ("web/events", {"event_id": "e-3", "quantity": "-1"}, "negative"),
    ("experiments/experiments", {"experiment_id": "x-1", "planned_split": "{a:"}, "cast_failed"),
    ("experiments/exposures", {"variant": "b", "anonymous_id": None}, "required_empty"),
    ("support/tickets", {"ticket_id": "t-1", "satisfaction_score": "6"}, "out_of_range"),
    ("support/tickets", {"ticket_id": "t-2", "satisfaction_score": "meh"}, "cast_failed"),
    (
        "support/tickets",
        {"ticket_id": "t-3", "resolved_at": "2024-02-01 00:00:00"},
        "end_before_start",
    ),
    ("feedback/nps_surveys", {"survey_id": "s-1", "score": "11"}, "out_of_range"),
    ("feedback/reviews", {"review_id": "v-1", "rating": "0"}, "out_of_range"),
    (
        "email/campaigns",
        {"campaign_id": "k-1", "cost": "5", "currency": "JPY", "sent_at": AT},
        "missing_rate",
    ),
    ("email/email_events", {"email_event_id": "ee-1", "event_type": ""}, "required_empty"),
    ("marketing/ad_spend", {"spend_date": "2024-03-01", "currency": "JPY"}, "missing_rate"),
    ("marketing/ad_spend", {"spend_date": "2024-02-28", "clicks": "-1"}, "negative"),
    (
        "marketing/ad_spend",
        {"spend_date": "anna@x.example", "channel": "shop@agency"},
        "cast_failed",
    ),
    ("marketing/ad_spend", {"spend_date": "0024-02-28"}, "implausible_time"),
    (
        "marketing/referrals",
        {"referral_id": "f-1", "accepted_at": "2024-02-01 00:00:00"},
        "end_before_start",
    ),
]


def planted_lake(root: Path, raw_format: str) -> Path:
    tables = {table: [row] for table, row in GOOD.items()}
    for table, changes, _ in BAD:
        tables[table].append(GOOD[table] | changes)
    return write_lake(root, tables, raw_format)


@pytest.fixture(scope="module", params=["parquet", "csv", "json"])
def planted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, build_lake: BuildLake
) -> Warehouse:
    lake = planted_lake(tmp_path_factory.mktemp("lake"), request.param)
    return build_lake(lake, raw_format=request.param, vars={"base_currency": "EUR"})


def test_each_planted_row_gets_its_reason_and_no_other_row_any(planted: Warehouse) -> None:
    found = planted.query(
        "select source_name || '/' || table_name, reason_code, count(*)"
        " from quality.dq_quarantined_rows group by all order by all"
    )
    expected: dict[tuple[str, str], int] = {}
    for table, _, code in BAD:
        expected[table, code] = expected.get((table, code), 0) + 1
    assert {(table, code): count for table, code, count in found} == expected


def test_quarantined_rows_are_found_by_their_key(planted: Warehouse) -> None:
    found = planted.query(
        "select row_key, reason_code from quality.dq_quarantined_rows where table_name = 'orders'"
    )
    planted_orders = {
        (changes["order_id"], code) for table, changes, code in BAD if table.endswith("/orders")
    }
    assert set(found) == planted_orders


def test_every_row_of_every_table_is_in_one_bucket(planted: Warehouse) -> None:
    rows = planted.query("select raw_rows, staged_rows, is_balanced from quality.dq_row_counts")
    assert len(rows) == 18
    assert all(balanced for _, _, balanced in rows)
    assert sum(raw for raw, _, _ in rows) == len(GOOD) + len(BAD)
    assert sum(staged for _, staged, _ in rows) == len(GOOD)


def test_raw_rows_show_what_stood_there_but_nothing_personal(planted: Warehouse) -> None:
    rows = planted.query("select coalesce(row_key, ''), raw_row from quality.dq_quarantined_rows")
    by_key = {key: json.loads(raw) for key, raw in rows}
    assert by_key["o-3"]["ordered_at"] == "yesterday"
    assert by_key["o-3"]["email"] == "***"
    assert by_key["o-13"]["order_total"] == by_key["o-13"]["status"] == "***"
    text = "".join(key + raw for key, raw in rows)
    assert "x.example" not in text
    assert "secret" not in text


def test_values_that_the_contract_does_not_know_show_nothing_personal(planted: Warehouse) -> None:
    found = planted.query(
        "select column_name, drift_value from quality.dq_schema_drift"
        " where drift_kind = 'unknown_value'"
    )
    assert {("status", "***"), ("event_value", "***"), ("channel", "***")} <= set(found)
    assert not any("x.example" in value for _, value in found)
