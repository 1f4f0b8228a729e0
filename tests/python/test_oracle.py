"""The oracle against a lake small enough to work out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import oracle

if TYPE_CHECKING:
    from pathlib import Path


def write(root: Path, table: str, rows: list[dict]) -> None:
    folder = root / "storefront" / table
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")


def order(order_id: str, day: str, item: str, total: str | None = None, **columns: object) -> dict:
    base = {"customer_id": None, "email": None, "cancelled_at": None, "shipping_total": None}
    row = {
        "order_id": order_id,
        "ordered_at": datetime.fromisoformat(day).replace(tzinfo=UTC),
        "currency": "EUR",
        "item_total": Decimal(item),
        "order_total": Decimal(total or item),
    }
    return base | row | columns


@pytest.fixture
def lake(tmp_path: Path) -> oracle.Lake:
    write(
        tmp_path,
        "orders",
        [
            order("1", "2024-01-10", "10.00", customer_id="a"),
            order("2", "2024-02-05", "20.00", "25.00", customer_id="a", shipping_total=Decimal(5)),
            order("3", "2024-01-31", "7.005", email="B@x.com "),
            order("4", "2024-03-01", "1.00", customer_id="b", email="b@x.com"),
            order("5", "2024-02-01", "50.00"),
            order("6", "2024-01-02", "90.00", customer_id="a", cancelled_at=datetime(2024, 1, 3)),  # noqa: DTZ001
            order("7", "2024-01-02", "90.00", "91.00", customer_id="a"),
            order("8", "2024-01-02", "-1.00", customer_id="a"),
            order("9", "2024-02-01", "3.00", customer_id="c"),
        ],
    )
    write(
        tmp_path,
        "refunds",
        [
            refund("r1", "1", "2024-03-10", "4.00"),
            refund("r2", "6", "2024-01-04", "90.00"),
            refund("r3", "missing", "2024-03-31", "1.00"),
            refund("r4", "5", "2024-02-02", "-2.00"),
        ],
    )
    return oracle.read_lake(tmp_path)


def refund(refund_id: str, order_id: str, day: str, amount: str) -> dict:
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return {
        "refund_id": refund_id,
        "order_id": order_id,
        "refunded_at": moment,
        "amount": Decimal(amount),
    }


def test_bad_rows_are_set_aside(lake):
    assert lake.refused_orders == ["7", "8"]
    assert lake.refused_refunds == ["r3"]


def test_a_refund_of_a_missing_order_still_moves_as_of(lake):
    assert lake.as_of == datetime(2024, 3, 31, tzinfo=UTC)


def test_revenue_leaves_cancelled_orders_out_and_keeps_anonymous_ones(lake):
    totals = oracle.totals(lake)
    assert totals.order_count == 6
    assert totals.person_count == 3
    assert totals.shipping == 500
    assert totals.refunds == 400 - 200
    assert totals.net_revenue == 1000 + 2500 + 701 + 100 + 5000 + 300 - 200


def test_an_e_mail_links_a_guest_to_a_later_customer(lake):
    persons = oracle.person_keys(lake)
    assert persons["3"] == persons["4"]
    assert persons["5"] is None
    assert len({persons["1"], persons["3"], persons["9"]}) == 3


def test_an_e_mail_on_more_than_five_customers_links_nothing(tmp_path):
    orders = [order(str(n), "2024-01-01", "1", customer_id=str(n), email="hq@x") for n in range(6)]
    write(tmp_path, "orders", [*orders, order("g", "2024-01-01", "1", email="hq@x")])
    persons = oracle.person_keys(oracle.read_lake(tmp_path))
    assert len(set(persons.values())) == 7


def test_cohorts_are_dense_and_refunds_count_in_their_own_month(lake):
    frame = oracle.cohorts(lake).set_index(["cohort_month", "period_number"])
    january, february = date(2024, 1, 1), date(2024, 2, 1)
    assert frame.index.tolist() == [
        (january, 0),
        (january, 1),
        (january, 2),
        (february, 0),
        (february, 1),
    ]
    assert frame["cohort_size"].tolist() == [2, 2, 2, 1, 1]
    assert frame["active_customers"].tolist() == [2, 1, 1, 1, 0]
    assert frame["retention_rate"].tolist() == [1.0, 0.5, 0.5, 1.0, 0.0]
    assert frame["orders"].tolist() == [2, 1, 1, 1, 0]
    assert frame["net_revenue"].tolist() == [1701, 2500, 100 - 400, 300, 0]
    assert frame["cumulative_net_revenue"].tolist() == [1701, 4201, 3901, 300, 300]
    assert frame["is_mature"].tolist() == [True, True, False, True, False]
