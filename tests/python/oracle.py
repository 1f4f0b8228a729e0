"""Orders, revenue and cohorts worked out from a raw lake with pandas, to compare the marts with.

It shares no code with the warehouse and takes another way: whole pence as Python integers, loops
over persons instead of joins, union-find instead of label propagation. It knows the part of the
raw contract that real order data need (no tax, one currency, UTC) and refuses a lake that needs
more.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CENT = Decimal("0.01")
HEADER_PARTS = ("item_total", "discount_total", "shipping_total", "other_total")
TOTAL_TOLERANCE = Decimal("0.02")
MAX_CUSTOMERS_PER_EMAIL = 5

# Reads the mart in the shape of `cohort_rows`.
MART_SQL = """
    select
        cohort_month,
        period_number,
        cohort_size,
        active_customers,
        retention_rate,
        orders,
        cast(100 * net_revenue as bigint),
        cast(100 * sum(net_revenue) over (
            partition by cohort_month order by period_number
        ) as bigint),
        is_mature
    from marts.fct_cohorts
    where segment_name = 'all' and segment_value = 'all'
    order by cohort_month, period_number
"""


@dataclass(frozen=True)
class Order:
    """A good order; money in cents, before refunds."""

    order_id: str
    person: str | None
    ordered_at: datetime
    is_cancelled: bool
    gross_sales: int
    discount: int
    shipping: int
    other: int

    @property
    def revenue(self) -> int:
        return self.gross_sales - self.discount + self.shipping + self.other


@dataclass(frozen=True)
class Refund:
    """A refund of a good order; amount in cents."""

    order_id: str
    refunded_at: datetime
    amount: int


@dataclass(frozen=True)
class Lake:
    """What remains of a raw lake once the contract has set the bad rows aside."""

    orders: list[Order]
    refunds: list[Refund]
    as_of: datetime
    refused_orders: list[str]
    refused_refunds: list[str]


@dataclass(frozen=True)
class Totals:
    """Sums over all orders that are not cancelled; money in cents."""

    order_count: int
    person_count: int
    gross_sales: int
    discount: int
    refunds: int
    shipping: int
    other: int

    @property
    def net_revenue(self) -> int:
        return self.gross_sales - self.discount - self.refunds + self.shipping + self.other


def read_lake(root: Path) -> Lake:
    """Read orders, refunds and customers of a Parquet lake."""
    raw_orders = _read_rows(root, "orders")
    raw_refunds = _read_rows(root, "refunds")
    customers = _read_rows(root, "customers")
    for rows, key in ((raw_orders, "order_id"), (raw_refunds, "refund_id")):
        assert len({row[key] for row in rows}) == len(rows), f"{key} repeats: not modelled here"
    assert len({row["currency"] for row in raw_orders}) <= 1, "several currencies: not modelled"
    assert not any(row.get("tax_total") for row in raw_orders), "tax: not modelled here"

    good = [row for row in raw_orders if _is_good_order(row)]
    good_ids = {row["order_id"] for row in good}
    person_of = _persons(good, customers)
    orders = [_order(row, person_of) for row in good]
    refunds = [
        Refund(row["order_id"], _utc(row["refunded_at"]), cents(row["amount"]))
        for row in raw_refunds
        if row["order_id"] in good_ids
    ]
    # A refund of a missing order did happen all the same: only row rules keep a time from as_of.
    moments = [
        *(order.ordered_at for order in orders),
        *(_utc(row["cancelled_at"]) for row in good if row.get("cancelled_at") is not None),
        *(_utc(row["refunded_at"]) for row in raw_refunds),
        *(_utc(row["created_at"]) for row in customers),
    ]
    return Lake(
        orders,
        refunds,
        max(moments),
        sorted({row["order_id"] for row in raw_orders} - good_ids),
        sorted(row["refund_id"] for row in raw_refunds if row["order_id"] not in good_ids),
    )


def cents(amount: Decimal | None) -> int:
    """Round an amount to whole cents, halves away from zero; null is nothing."""
    return int((amount or Decimal(0)).quantize(CENT, ROUND_HALF_UP) * 100)


def totals(lake: Lake) -> Totals:
    """Sum orders and their refunds to date, cancelled orders left out."""
    counted = {order.order_id: order for order in lake.orders if not order.is_cancelled}
    return Totals(
        order_count=len(counted),
        person_count=len({order.person for order in counted.values() if order.person}),
        gross_sales=sum(order.gross_sales for order in counted.values()),
        discount=sum(order.discount for order in counted.values()),
        refunds=sum(refund.amount for refund in lake.refunds if refund.order_id in counted),
        shipping=sum(order.shipping for order in counted.values()),
        other=sum(order.other for order in counted.values()),
    )


def net_revenue_by_order(lake: Lake) -> dict[str, int]:
    """Net revenue to date in cents of every good order, as if none had been cancelled."""
    revenue = {order.order_id: order.revenue for order in lake.orders}
    for refund in lake.refunds:
        revenue[refund.order_id] -= refund.amount
    return revenue


def person_keys(lake: Lake) -> dict[str, str | None]:
    """Name the person of every good order; which orders share one matters, not the name."""
    return {order.order_id: order.person for order in lake.orders}


def cohorts(lake: Lake) -> pd.DataFrame:
    """Follow each acquisition month through the calendar months since.

    Returns
    -------
    pd.DataFrame
        One row per cohort_month (first day, date) and period_number, dense up to the month of
        as_of: cohort_size, active_customers, retention_rate, orders, net_revenue (cents, on the
        day it moved), cumulative_net_revenue (cents), is_mature.
    """
    by_person: dict[str, list[Order]] = defaultdict(list)
    for order in lake.orders:
        if order.person and not order.is_cancelled:
            by_person[order.person].append(order)
    cohort_of = {
        person: _month(min(order.ordered_at for order in orders))
        for person, orders in by_person.items()
    }
    active: dict[tuple[int, int], set[str]] = defaultdict(set)
    orders_in: dict[tuple[int, int], int] = defaultdict(int)
    revenue_in: dict[tuple[int, int], int] = defaultdict(int)
    cohort_of_order: dict[str, int] = {}
    for person, orders in by_person.items():
        cohort = cohort_of[person]
        for order in orders:
            cell = (cohort, _month(order.ordered_at) - cohort)
            active[cell].add(person)
            orders_in[cell] += 1
            revenue_in[cell] += order.revenue
            cohort_of_order[order.order_id] = cohort
    for refund in lake.refunds:
        if refund.order_id in cohort_of_order:
            cohort = cohort_of_order[refund.order_id]
            revenue_in[cohort, _month(refund.refunded_at) - cohort] -= refund.amount

    sizes = pd.Series(list(cohort_of.values())).value_counts().to_dict()
    rows = []
    for cohort in sorted(sizes):
        cumulative = 0
        for period in range(_month(lake.as_of) - cohort + 1):
            cell = (cohort, period)
            cumulative += revenue_in[cell]
            rows.append(
                {
                    "cohort_month": _first_day(cohort),
                    "period_number": period,
                    "cohort_size": sizes[cohort],
                    "active_customers": len(active[cell]),
                    "retention_rate": len(active[cell]) / sizes[cohort],
                    "orders": orders_in[cell],
                    "net_revenue": revenue_in[cell],
                    "cumulative_net_revenue": cumulative,
                    "is_mature": _start(cohort + period + 1) <= lake.as_of,
                },
            )
    return pd.DataFrame(rows)


def cohort_rows(lake: Lake) -> list[tuple]:
    """Return `cohorts` as plain tuples, the columns as `MART_SQL` selects them."""
    return list(cohorts(lake).itertuples(index=False, name=None))


def _read_rows(root: Path, table: str) -> list[dict]:
    files = sorted((root / "storefront" / table).rglob("*.parquet"))
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _is_good_order(row: dict) -> bool:
    item, discount, shipping, other = (row.get(part) or Decimal(0) for part in HEADER_PARTS)
    amounts = (item, discount, shipping, other, row["order_total"])
    gap = abs(item - discount + shipping + other - row["order_total"])
    return min(amounts) >= 0 and gap <= TOTAL_TOLERANCE


def _order(row: dict, person_of: dict[str, str]) -> Order:
    identifiers = _identifiers(row)
    return Order(
        order_id=row["order_id"],
        person=person_of[identifiers[0]] if identifiers else None,
        ordered_at=_utc(row["ordered_at"]),
        is_cancelled=row.get("cancelled_at") is not None or row.get("status") == "cancelled",
        gross_sales=cents(row["item_total"]),
        discount=cents(row.get("discount_total")),
        shipping=cents(row.get("shipping_total")),
        other=cents(row.get("other_total")),
    )


def _identifiers(row: dict) -> list[str]:
    identifiers = []
    if row.get("customer_id"):
        identifiers.append(f"customer:{row['customer_id']}")
    if (row.get("email") or "").strip():
        identifiers.append(f"email:{row['email'].strip().lower()}")
    return identifiers


def _persons(orders: Iterable[dict], customers: Iterable[dict]) -> dict[str, str]:
    links = [_identifiers(row) for row in (*orders, *customers)]
    customers_of: dict[str, set[str]] = defaultdict(set)
    for identifiers in links:
        if len(identifiers) > 1:
            customers_of[identifiers[1]].add(identifiers[0])
    shared = {mail for mail, ids in customers_of.items() if len(ids) > MAX_CUSTOMERS_PER_EMAIL}

    parent: dict[str, str] = {}

    def root(identifier: str) -> str:
        parent.setdefault(identifier, identifier)
        while parent[identifier] != identifier:
            parent[identifier] = parent[parent[identifier]]
            identifier = parent[identifier]
        return identifier

    for identifiers in links:
        for identifier in identifiers:
            if not shared.intersection(identifiers):
                parent[root(identifier)] = root(identifiers[0])
            else:
                root(identifier)
    return {identifier: root(identifier) for identifier in list(parent)}


def _month(moment: datetime) -> int:
    return moment.year * 12 + moment.month - 1


def _first_day(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def _start(month: int) -> datetime:
    return datetime.combine(_first_day(month), datetime.min.time(), UTC)
