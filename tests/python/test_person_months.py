"""Value as it was: what comes later changes no month that had ended."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from conftest import BuildLake, Warehouse, order, write_lake

MONTHS = (
    "select person_id, month, orders, net_revenue, contribution_margin, cost_known_share, sessions,"
    " tickets, cost_to_serve, latest_nps_score, rfm_segment, value_tier, predicted_clv"
    " from marts.fct_person_months where month < '2024-06-01' order by all"
)
THEN = datetime(2024, 6, 1)  # noqa: DTZ001 - all of the lake is in UTC
CUSTOMERS = 80


def draw_shop(seed: int = 4) -> dict[str, list[dict[str, Any]]]:
    """Return orders, refunds, tickets and surveys of nine months, five of them before `THEN`."""
    rng = random.Random(seed)
    tables: dict[str, list[dict[str, Any]]] = {
        name: []
        for name in (
            *("storefront/orders", "storefront/order_items", "storefront/refunds"),
            *("support/tickets", "feedback/nps_surveys"),
        )
    }
    for customer in range(CUSTOMERS):
        day = datetime(2024, 1, 1) + timedelta(hours=rng.randrange(24 * 150))  # noqa: DTZ001 - UTC
        name = f"c-{customer}"
        while day < datetime(2024, 9, 30) and rng.random() < 0.85:  # noqa: DTZ001 - UTC
            key = f"o-{len(tables['storefront/orders'])}"
            price = rng.randrange(10, 90)
            tables["storefront/orders"].append(
                order(key, price, customer_id=name, ordered_at=str(day))
            )
            line = {"order_item_id": f"i-{key}", "order_id": key, "product_id": "p", "quantity": 1}
            tables["storefront/order_items"].append(
                {**line, "unit_price": f"{price}.00", "unit_cost": f"{price * 0.6:.2f}"}
            )
            happened = {"customer_id": name, "order_id": key}
            later = str(day + timedelta(days=rng.randrange(40), hours=1))
            if rng.random() < 0.3:
                refund = {"refund_id": f"r-{key}", "order_id": key, "refunded_at": later}
                tables["storefront/refunds"].append({**refund, "amount": "5.00"})
            if rng.random() < 0.3:
                ticket = {"ticket_id": f"t-{key}", "created_at": later, "channel": "email"}
                tables["support/tickets"].append({**ticket, **happened, "agent_minutes": 7})
            survey = {"survey_id": f"s-{key}", "sent_at": str(day), "responded_at": later}
            tables["feedback/nps_surveys"].append(
                {**survey, "customer_id": name, "score": rng.randrange(11)}
            )
            day += timedelta(hours=rng.randrange(1, 24 * 90))
    return tables


def until(tables: dict[str, list[dict[str, Any]]], end: datetime) -> dict[str, Any]:
    """Leave out what happened from a moment on; an answer of then is not yet there."""
    times = {"storefront/orders": "ordered_at", "storefront/refunds": "refunded_at"}
    times |= {"support/tickets": "created_at", "feedback/nps_surveys": "sent_at"}
    kept = {
        name: [row for row in tables[name] if row[time] < str(end)] for name, time in times.items()
    }
    orders = {row["order_id"] for row in kept["storefront/orders"]}
    lines = tables["storefront/order_items"]
    kept["storefront/order_items"] = [row for row in lines if row["order_id"] in orders]
    kept["feedback/nps_surveys"] = [
        row if row["responded_at"] < str(end) else {**row, "responded_at": None, "score": None}
        for row in kept["feedback/nps_surveys"]
    ]
    return kept


@pytest.fixture(scope="module")
def shops(
    build_lake: BuildLake, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Warehouse, Warehouse]:
    """Build the shop as it was at the end of May, and as it is four months later."""
    folder = tmp_path_factory.mktemp("months")
    tables = draw_shop()
    built = []
    for name, rows, as_of in (
        ("then", until(tables, THEN), "2024-05-31"),
        ("now", tables, "2024-10-15"),
    ):
        lake = write_lake(folder / name, rows)
        settings = {"as_of": as_of, "payment_fee_rate": 0.02}
        built.append(build_lake(lake, vars=settings))
    return built[0], built[1]


def test_what_came_later_changes_no_month_before(shops: tuple[Warehouse, Warehouse]) -> None:
    then, now = shops
    rows = then.query(MONTHS)
    assert len(rows) > CUSTOMERS
    assert then.query("select value_basis from marts.fct_clv_models") == [("margin",)]
    assert {row[-1] for row in rows} != {0}
    assert len({row[9] for row in rows}) > 5
    assert now.query(MONTHS) == rows
    # and something did come
    [(orders, later)] = now.query(
        "select count(*) filter (where ordered_at < '2024-06-01'),"
        " count(*) filter (where ordered_at >= '2024-06-01') from marts.fct_orders"
    )
    assert later > orders / 4


def test_the_last_month_at_its_end_is_what_persons_are(shops: tuple[Warehouse, Warehouse]) -> None:
    """as_of is the end of May: two ways to the same numbers."""
    then, _ = shops
    [(same, customers)] = then.query(
        "select count(*) filter (where months.predicted_clv = persons.predicted_clv"
        " and months.value_tier = persons.value_tier and months.rfm_segment = persons.rfm_segment"
        " and months.latest_nps_score is not distinct from persons.latest_nps_score), count(*)"
        " from marts.dim_persons as persons left join marts.fct_person_months as months"
        " on persons.person_id = months.person_id and months.month = '2024-05-01'"
        " where persons.order_count > 0"
    )
    assert same == customers
    assert customers > CUSTOMERS / 2
