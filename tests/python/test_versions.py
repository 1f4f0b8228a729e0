"""Of several versions of a row the newest good one counts, whatever file or place it stands in."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import BuildLake, Warehouse, order, write_lake, write_table

DAY_1, DAY_2, DAY_3 = ("2024-03-01 12:00:00", "2024-03-02 12:00:00", "2024-03-03 12:00:00")
# the seeds whose tests read the names of events come along, as dbt selects those tests
STAGED = (
    "stg_storefront__customers +stg_web__events +stg_storefront__exchange_rates"
    " funnel_steps intent_rules micro_conversions touch_kinds"
)
SETTINGS = {"base_currency": "EUR"}


def customer(customer_id: str, country: str, **more: Any) -> dict[str, Any]:
    return {"customer_id": customer_id, "created_at": DAY_1, "country": country, **more}


def event(event_id: str, page_type: str, **more: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "anonymous_id": "a",
        "occurred_at": DAY_1,
        "event_name": "login",
        "page_type": page_type,
        **more,
    }


def item(item_id: str, order_id: str, price: str, **more: Any) -> dict[str, Any]:
    return {
        "order_item_id": item_id,
        "order_id": order_id,
        "product_id": "p",
        "quantity": "1",
        "unit_price": price,
        **more,
    }


# the version that counts says 'yes', or 'same' where the versions are equal
CUSTOMERS = [
    customer("updated_last", "yes", updated_at=DAY_2, _loaded_at=DAY_2),
    customer("updated_last", "no", updated_at=DAY_1, _loaded_at=DAY_3),
    customer("updated_at_all", "yes", updated_at=DAY_1, _loaded_at=DAY_2),
    customer("updated_at_all", "no", updated_at=None, _loaded_at=DAY_3),
    customer("loaded_last", "yes", updated_at=DAY_1, _loaded_at=DAY_3),
    customer("loaded_last", "no", updated_at=DAY_1, _loaded_at=DAY_2),
    customer("loaded_at_all", "yes", _loaded_at=DAY_1),
    customer("loaded_at_all", "zz", _loaded_at=None),
    customer("greater_content", "yes", updated_at=DAY_1),
    customer("greater_content", "no", updated_at=DAY_1),
    customer("repeated", "same"),
    customer("repeated", "same"),
    customer("repeated", "same"),
    customer("newer_is_bad", "yes", updated_at=DAY_1),
    customer("newer_is_bad", "bad", updated_at=DAY_2, accepts_marketing="maybe"),
    customer("older_is_bad", "bad", updated_at=DAY_1, created_at=None),
    customer("older_is_bad", "yes", updated_at=DAY_2),
    customer("all_are_bad", "bad", updated_at=DAY_1, accepts_marketing="maybe"),
    customer("all_are_bad", "bad", updated_at=DAY_2, created_at=None),
]
EVENTS = [
    event("received_last", "yes", received_at=DAY_3, _loaded_at=DAY_2),
    event("received_last", "no", received_at=DAY_2, _loaded_at=DAY_3),
    event("loaded_last", "yes", received_at=DAY_2, _loaded_at=DAY_3),
    event("loaded_last", "no", received_at=DAY_2, _loaded_at=DAY_2),
    event("same_but_loaded_twice", "same", _loaded_at=DAY_2),
    event("same_but_loaded_twice", "same", _loaded_at=DAY_3),
]
RATES = [
    {"rate_date": "2024-03-01", "currency": "CHF", "rate_to_base": 1.5, "_loaded_at": DAY_2},
    {"rate_date": "2024-03-01", "currency": "chf", "rate_to_base": 1.4, "_loaded_at": DAY_1},
    {"rate_date": "2024-02-29", "currency": "CHF", "rate_to_base": 1.3, "_loaded_at": DAY_1},
]
YEN = {"campaign_name": "News", "sent_at": DAY_1, "cost": "5", "currency": "JPY"}
SPEND = {"spend_date": "2024-03-01", "channel": "google", "currency": "JPY"}
LAKE = {
    "storefront/orders": [
        order("o-good"),
        order("o-unrated", updated_at=DAY_2, currency="JPY"),
        order("o-unrated", updated_at=DAY_1),
    ],
    "storefront/order_items": [
        item("i-orphan", "o-unrated", "10.00", _loaded_at=DAY_2),
        item("i-orphan", "o-unrated", "20.00", _loaded_at=DAY_1),
        item("i-bad", "o-unrated", "-1.00"),
        item("i-good", "o-good", "10.00"),
    ],
    "email/campaigns": [
        {"campaign_id": "k", **YEN, "_loaded_at": DAY_2},
        {"campaign_id": "k", **YEN, "_loaded_at": DAY_1},
    ],
    "marketing/ad_spend": [
        {**SPEND, "spend": "5.00", "_loaded_at": DAY_2},
        {**SPEND, "spend": "6.00", "_loaded_at": DAY_1},
    ],
    "storefront/customers": CUSTOMERS,
    "web/events": EVENTS,
    "storefront/exchange_rates": RATES,
}


@pytest.fixture(scope="module")
def in_one_file(tmp_path_factory: pytest.TempPathFactory, build_lake: BuildLake) -> Warehouse:
    return build_lake(write_lake(tmp_path_factory.mktemp("lake"), LAKE), vars=SETTINGS)


@pytest.fixture(scope="module")
def turned_round(tmp_path_factory: pytest.TempPathFactory, build_lake: BuildLake) -> Warehouse:
    """The same rows the other way round, each in a file of its own."""
    lake = tmp_path_factory.mktemp("lake")
    for table, rows in LAKE.items():
        for row in reversed(rows):
            write_table(lake, table, [row])
    return build_lake(lake, vars=SETTINGS, select=STAGED)


@pytest.fixture(params=["in_one_file", "turned_round"])
def staged(request: pytest.FixtureRequest) -> Warehouse:
    return request.getfixturevalue(request.param)


def buckets(warehouse: Warehouse, table: str, columns: str) -> list[tuple[Any, ...]]:
    return sorted(
        warehouse.query(f"select {columns}, row_bucket from staging.{table}"),
        key=str,
    )


def test_the_newest_good_version_counts_and_bad_ones_remove_nothing(staged: Warehouse) -> None:
    assert buckets(staged, "stg_storefront__customers", "customer_id, country") == sorted(
        [
            ("all_are_bad", "bad", "quarantined"),
            ("all_are_bad", "bad", "quarantined"),
            ("greater_content", "no", "duplicate"),
            ("greater_content", "yes", "staged"),
            ("loaded_at_all", "yes", "staged"),
            ("loaded_at_all", "zz", "duplicate"),
            ("loaded_last", "no", "duplicate"),
            ("loaded_last", "yes", "staged"),
            ("newer_is_bad", "bad", "quarantined"),
            ("newer_is_bad", "yes", "staged"),
            ("older_is_bad", "bad", "quarantined"),
            ("older_is_bad", "yes", "staged"),
            ("repeated", "same", "duplicate"),
            ("repeated", "same", "duplicate"),
            ("repeated", "same", "staged"),
            ("updated_at_all", "no", "duplicate"),
            ("updated_at_all", "yes", "staged"),
            ("updated_last", "no", "duplicate"),
            ("updated_last", "yes", "staged"),
        ],
        key=str,
    )


def test_the_event_received_last_counts(staged: Warehouse) -> None:
    assert buckets(staged, "stg_web__events", "event_id, page_type") == [
        ("loaded_last", "no", "duplicate"),
        ("loaded_last", "yes", "staged"),
        ("received_last", "no", "duplicate"),
        ("received_last", "yes", "staged"),
        ("same_but_loaded_twice", "same", "duplicate"),
        ("same_but_loaded_twice", "same", "staged"),
    ]


def test_a_rate_is_one_of_its_day_and_currency(staged: Warehouse) -> None:
    columns = "rate_date::varchar, currency, rate_to_base"
    assert buckets(staged, "stg_storefront__exchange_rates", columns) == [
        ("2024-02-29", "CHF", 1.3, "staged"),
        ("2024-03-01", "CHF", 1.4, "duplicate"),
        ("2024-03-01", "CHF", 1.5, "staged"),
    ]


def test_versions_that_lost_are_duplicates_even_of_rows_that_are_set_aside(
    in_one_file: Warehouse,
) -> None:
    """The newest version of o-unrated has no rate, so its line is an orphan."""
    counts = in_one_file.query(
        "select table_name, staged_rows, quarantined_rows, duplicate_rows, is_balanced"
        " from quality.dq_row_counts where raw_rows > 0"
    )
    assert {name: row for name, *row in counts} == {
        "orders": [1, 1, 1, True],
        "order_items": [1, 2, 1, True],
        "customers": [8, 4, 7, True],
        "exchange_rates": [2, 0, 1, True],
        "events": [3, 0, 3, True],
        "campaigns": [0, 1, 1, True],
        "ad_spend": [0, 1, 1, True],
    }
    quarantined = in_one_file.query(
        "select row_key, reason_code from quality.dq_quarantined_rows"
        " where table_name <> 'customers' order by row_key"
    )
    assert quarantined == [
        ("2024-03-01|google||JPY", "missing_rate"),
        ("i-bad", "negative"),
        ("i-orphan", "order_missing"),
        ("k", "missing_rate"),
        ("o-unrated", "missing_rate"),
    ]
