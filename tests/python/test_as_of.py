"""At as_of, in any time zone, what happened before is known and nothing that happened later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conftest import UNTESTED, BuildLake, Warehouse, order, write_lake

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Two moments that both fall on 31 March where they are reported: the end of that day in Berlin, on
# which summer time begins, and an evening in New York when it is April already in UTC.
BERLIN = {"as_of": "2024-03-31", "reporting_timezone": "Europe/Berlin", "base_currency": "EUR"}
BERLIN_AS_OF = "2024-03-31 21:59:59.999999"
NEW_YORK = {
    "as_of": "2024-04-01 02:00:00",
    "reporting_timezone": "America/New_York",
    "base_currency": "EUR",
}
NEW_YORK_AS_OF = "2024-04-01 02:00:00"
BEFORE = "2024-03-30 12:00:00"
# after Berlin's day has ended, before the moment in New York
BETWEEN = "2024-03-31 22:00:00"
AFTER = "2024-04-02 12:00:00"


def item(item_id: str, order_id: str) -> dict[str, Any]:
    return {
        "order_item_id": item_id,
        "order_id": order_id,
        "product_id": "p",
        "quantity": "1",
        "unit_price": "10.00",
    }


def refund(refund_id: str, order_id: str, refunded_at: str) -> dict[str, Any]:
    return {
        "refund_id": refund_id,
        "order_id": order_id,
        "refunded_at": refunded_at,
        "amount": "1.00",
    }


LATE_REFUND = refund("r-late", "o-before", AFTER)
SPEND = {"channel": "google", "currency": "EUR", "spend": "5.00"}
LAKE: dict[str, list[dict[str, Any]]] = {
    "storefront/orders": [
        order("o-before", ordered_at=BEFORE, customer_id="c-1"),
        order("o-last", ordered_at=BERLIN_AS_OF),
        order("o-between", ordered_at=BETWEEN),
        order("o-after", ordered_at=AFTER, customer_id="c-1"),
        # one version is known, the other is not
        order("o-moved", "20.00", ordered_at=BEFORE, updated_at=BEFORE),
        order("o-moved", "30.00", ordered_at=AFTER, updated_at=AFTER),
        # cancelled later, cancelled before, and cancelled nobody knows when
        order("o-cancelled-later", ordered_at=BEFORE, cancelled_at=AFTER, status="cancelled"),
        order("o-cancelled", ordered_at=BEFORE, cancelled_at=BEFORE, status="voided"),
        order("o-cancelled-undated", ordered_at=BEFORE, status="cancelled"),
    ],
    # what belongs to an order shares its fate, repeats too
    "storefront/order_items": [
        item("i-before", "o-before"),
        item("i-before", "o-before"),
        item("i-moved", "o-moved"),
        item("i-between", "o-between"),
        item("i-after", "o-after"),
        item("i-after", "o-after"),
    ],
    "storefront/refunds": [
        refund("r-before", "o-before", BEFORE),
        refund("r-between", "o-before", BETWEEN),
        LATE_REFUND,
        LATE_REFUND,
        refund("r-too-early", "o-after", BEFORE),
        refund("r-too-early", "o-after", BEFORE),
    ],
    "storefront/deliveries": [
        {
            "delivery_id": "d-before",
            "order_id": "o-before",
            "promised_at": "2024-03-31 12:00:00",
            "shipped_at": BEFORE,
            "delivered_at": AFTER,
        },
        {"delivery_id": "d-after", "order_id": "o-after", "promised_at": "2024-04-09 12:00:00"},
        {"delivery_id": "d-after", "order_id": "o-after", "promised_at": "2024-04-09 12:00:00"},
        {"delivery_id": "d-shipped-after", "order_id": "o-before", "shipped_at": AFTER},
    ],
    "storefront/customers": [
        {"customer_id": "c-1", "created_at": BEFORE},
        {"customer_id": "c-2", "created_at": AFTER},
    ],
    "storefront/exchange_rates": [
        {"rate_date": "2024-03-31", "currency": "USD", "rate_to_base": "0.9"},
        {"rate_date": "2024-04-01", "currency": "USD", "rate_to_base": "0.8"},
        {"rate_date": "2024-04-01", "currency": "USD", "rate_to_base": "0.8"},
    ],
    "marketing/ad_spend": [
        {"spend_date": "2024-03-31", **SPEND},
        {"spend_date": "2024-04-01", **SPEND},
        {"spend_date": "2024-04-01", **SPEND},
    ],
    "marketing/referrals": [
        {
            "referral_id": "f-1",
            "referrer_customer_id": "c-1",
            "invited_at": BEFORE,
            "accepted_at": AFTER,
        },
    ],
    "support/tickets": [
        {
            "ticket_id": "t-1",
            "created_at": BEFORE,
            "first_responded_at": "2024-03-31 12:00:00",
            "resolved_at": AFTER,
            "satisfaction_score": "good",
        },
    ],
    "feedback/nps_surveys": [
        {
            "survey_id": "s-later",
            "sent_at": BEFORE,
            "responded_at": AFTER,
            "score": "9",
            "comment": "fine",
        },
        {"survey_id": "s-before", "sent_at": BEFORE, "responded_at": BEFORE, "score": "8"},
    ],
    "feedback/reviews": [
        {"review_id": "v-1", "product_id": "p", "rating": "5", "reviewed_at": AFTER},
    ],
    "email/campaigns": [
        {"campaign_id": "k-flow", "campaign_name": "Flow"},
        {"campaign_id": "k-after", "campaign_name": "News", "sent_at": AFTER},
    ],
    "email/email_events": [
        {
            "email_event_id": "ee-1",
            "message_id": "m",
            "campaign_id": "k-flow",
            "event_type": "sent",
            "occurred_at": AFTER,
        },
    ],
    "web/events": [
        {
            "event_id": f"e-{n}",
            "anonymous_id": "a",
            "occurred_at": occurred_at,
            "event_name": "login",
        }
        for n, occurred_at in enumerate([BEFORE, BETWEEN, AFTER, AFTER])
    ],
    "experiments/exposures": [
        {"experiment_id": "x", "variant": "a", "anonymous_id": "a", "exposed_at": AFTER},
    ],
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lake(tmp_path_factory.mktemp("lake"), LAKE)


@pytest.fixture(scope="module")
def berlin(build_lake: BuildLake, lake: Path) -> Warehouse:
    return build_lake(lake, vars=BERLIN)


@pytest.fixture(scope="module")
def new_york(build_lake: BuildLake, lake: Path) -> Warehouse:
    return build_lake(lake, vars=NEW_YORK)


@pytest.fixture(params=["berlin", "new_york"])
def known_in_march(request: pytest.FixtureRequest) -> Warehouse:
    """Return each of the two builds, for what they have in common."""
    return request.getfixturevalue(request.param)


def ids(warehouse: Warehouse, column: str, table: str) -> set[str]:
    return {found for (found,) in warehouse.query(f"select {column} from {table}")}


def test_as_of_is_a_moment_or_the_end_of_a_day_where_it_is_reported(
    berlin: Warehouse, new_york: Warehouse
) -> None:
    query = "select as_of::varchar from quality.dq_builds"
    assert berlin.query(query) == [(BERLIN_AS_OF,)]
    assert new_york.query(query) == [(NEW_YORK_AS_OF,)]


def test_orders_are_known_up_to_as_of(berlin: Warehouse, new_york: Warehouse) -> None:
    known = {
        "o-before",
        "o-last",
        "o-moved",
        "o-cancelled-later",
        "o-cancelled",
        "o-cancelled-undated",
    }
    assert ids(berlin, "order_id", "marts.fct_orders") == known
    assert ids(new_york, "order_id", "marts.fct_orders") == known | {"o-between"}


def test_dates_are_those_of_the_reporting_time_zone(berlin: Warehouse, new_york: Warehouse) -> None:
    query = "select order_date::varchar from marts.fct_orders where order_id = 'o-last'"
    assert berlin.query(query) == [("2024-03-31",)]
    assert new_york.query(query) == [("2024-03-31",)]
    last_day = "select max(date_day)::varchar from marts.dim_dates"
    assert new_york.query(last_day) == [("2024-03-31",)]


def test_each_row_after_as_of_is_counted_as_such(berlin: Warehouse, new_york: Warehouse) -> None:
    query = (
        "select table_name, staged_rows, duplicate_rows, after_as_of_rows"
        " from quality.dq_row_counts where raw_rows > 0"
    )
    in_berlin = {
        "orders": (6, 0, 3),
        "order_items": (2, 1, 3),
        "refunds": (1, 0, 5),
        "deliveries": (1, 0, 3),
        "customers": (1, 0, 1),
        "exchange_rates": (1, 0, 2),
        "ad_spend": (1, 0, 2),
        "referrals": (1, 0, 0),
        "tickets": (1, 0, 0),
        "nps_surveys": (2, 0, 0),
        "reviews": (0, 0, 1),
        "campaigns": (1, 0, 1),
        "email_events": (0, 0, 1),
        "events": (1, 0, 3),
        "exposures": (0, 0, 1),
    }
    later_in_new_york = {
        "orders": (7, 0, 2),
        "order_items": (3, 1, 2),
        "refunds": (2, 0, 4),
        "events": (2, 0, 2),
    }
    assert {name: tuple(row) for name, *row in berlin.query(query)} == in_berlin
    found = {name: tuple(row) for name, *row in new_york.query(query)}
    assert found == in_berlin | later_in_new_york


def test_nothing_is_quarantined_for_being_late(known_in_march: Warehouse) -> None:
    assert known_in_march.query("select * from quality.dq_quarantined_rows") == []


def test_an_order_is_read_in_the_version_known_at_as_of(known_in_march: Warehouse) -> None:
    assert known_in_march.query(
        "select original_total::int from marts.fct_orders where order_id = 'o-moved'"
    ) == [(20,)]


def test_a_later_cancellation_has_not_happened(known_in_march: Warehouse) -> None:
    found = known_in_march.query(
        "select order_id, status, is_cancelled from marts.fct_orders where order_id like 'o-canc%'"
    )
    assert {order_id: row for order_id, *row in found} == {
        "o-cancelled-later": ["placed", False],
        "o-cancelled": ["cancelled", True],
        "o-cancelled-undated": ["cancelled", True],
    }


def test_later_refunds_take_nothing_back(berlin: Warehouse, new_york: Warehouse) -> None:
    query = "select refund_amount::int from marts.fct_orders where order_id = 'o-before'"
    assert berlin.query(query) == [(1,)]
    assert new_york.query(query) == [(2,)]


def test_what_is_under_way_at_as_of_is_not_delivered(known_in_march: Warehouse) -> None:
    assert known_in_march.query(
        "select delivery_id, delivered_at, is_late from marts.fct_deliveries"
    ) == [("d-before", None, True)]


@pytest.mark.parametrize(
    ("columns", "table", "expected"),
    [
        (
            "survey_id, responded_at is null, score, comment",
            "stg_feedback__nps_surveys",
            {("s-later", True, None, None), ("s-before", False, 8, None)},
        ),
        (
            "first_responded_at::varchar, resolved_at, satisfaction_score",
            "stg_support__tickets",
            {("2024-03-31 12:00:00", None, None)},
        ),
        ("accepted_at", "stg_marketing__referrals", {(None,)}),
    ],
    ids=["survey", "ticket", "referral"],
)
def test_later_answers_read_as_empty(
    known_in_march: Warehouse, columns: str, table: str, expected: set[tuple[Any, ...]]
) -> None:
    assert set(known_in_march.query(f"select {columns} from staging.{table}")) == expected


# Plans, dates and bookkeeping lie later than the newest happening, and so does a row set aside.
NEWEST = "2024-03-05 06:07:08.9"
PLANS = "2024-05-01 00:00:00"
UNDATED: dict[str, list[dict[str, Any]]] = {
    "storefront/orders": [
        order("o-1", customer_id="c-1", email="a@x.example", updated_at=PLANS),
        order("o-2", customer_id="c-2", email="a@x.example"),
        order("o-bad", "-1", ordered_at=PLANS),
    ],
    "storefront/deliveries": [
        {
            "delivery_id": "d",
            "order_id": "o-1",
            "promised_at": PLANS,
            "shipped_at": "2024-03-02 00:00:00",
            "delivered_at": NEWEST,
            "updated_at": PLANS,
        },
    ],
    "storefront/promotions": [
        {
            "promotion_id": "m",
            "promotion_name": "Spring",
            "starts_at": "2024-04-01",
            "ends_at": PLANS,
        },
    ],
    "storefront/exchange_rates": [
        {"rate_date": "2024-05-01", "currency": "USD", "rate_to_base": "0.9"}
    ],
    "experiments/experiments": [
        {
            "experiment_id": "x",
            "experiment_name": "Button",
            "control_variant": "a",
            "starts_at": "2024-04-01",
            "ends_at": PLANS,
        },
    ],
    "marketing/ad_spend": [{"spend_date": "2024-05-01", **SPEND}],
    "web/events": [
        {
            "event_id": "e",
            "anonymous_id": "a",
            "occurred_at": "2024-03-02 00:00:00",
            "received_at": PLANS,
            "event_name": "login",
            "_loaded_at": PLANS,
        },
    ],
}


@pytest.fixture(scope="module")
def undated(tmp_path_factory: pytest.TempPathFactory, build_lake: BuildLake) -> Sequence[Warehouse]:
    lake = write_lake(tmp_path_factory.mktemp("undated"), UNDATED)
    return [build_lake(lake), build_lake(lake, flags=UNTESTED)]


def test_as_of_is_the_newest_happening_and_no_plan(undated: Sequence[Warehouse]) -> None:
    query = "select rpad(as_of::varchar, 21, '0') from quality.dq_builds"
    assert undated[0].query(query) == [(NEWEST,)]


def test_spend_and_rates_dated_after_the_newest_happening_are_set_aside(
    undated: Sequence[Warehouse],
) -> None:
    assert undated[0].query(
        "select table_name, after_as_of_rows from quality.dq_row_counts"
        " where after_as_of_rows > 0 order by all"
    ) == [("ad_spend", 1), ("exchange_rates", 1)]


def test_two_builds_of_a_lake_are_the_same(undated: Sequence[Warehouse]) -> None:
    first, second = (warehouse.public_rows() for warehouse in undated)
    assert first["quality.dq_builds"]
    assert first == second


@pytest.mark.parametrize(
    ("zone", "day", "end"),
    [
        ("Atlantic/Azores", "2023-10-28", "2023-10-28 23:59:59.999999"),
        ("America/Havana", "2020-10-31", "2020-11-01 03:59:59.999999"),
        ("Asia/Amman", "2021-10-28", "2021-10-28 20:59:59.999999"),
    ],
)
def test_a_day_ends_once_where_the_hour_after_it_comes_twice(
    build_lake: BuildLake, tmp_path: Path, zone: str, day: str, end: str
) -> None:
    lake = write_lake(
        tmp_path / "lake", {"storefront/orders": [order("o", ordered_at="2020-01-01")]}
    )
    settings = {"reporting_timezone": zone, "as_of": day, "earliest_plausible_at": "2019-01-01"}
    built = build_lake(lake, vars=settings, flags=UNTESTED, select="+int_settings")
    found = built.query("select as_of::varchar, as_of_date::varchar from intermediate.int_settings")
    assert found == [(end, day)]


def test_a_month_is_over_in_the_first_of_two_hours_after_it(
    build_lake: BuildLake, tmp_path: Path
) -> None:
    orders = [order("o", ordered_at="2020-10-02", customer_id="c")]
    lake = write_lake(tmp_path / "lake", {"storefront/orders": orders})
    settings = {"reporting_timezone": "America/Havana", "as_of": "2020-11-01 04:10:00"}
    built = build_lake(lake, vars=settings, flags=UNTESTED, select="+fct_cohorts")
    assert built.query(
        "select period_month::varchar, is_mature from marts.fct_cohorts"
        " where segment_name = 'all' order by period_month"
    ) == [("2020-10-01", True), ("2020-11-01", False)]
