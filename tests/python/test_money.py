"""A random shop whose money is worked out again in exact fractions, order by order."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from conftest import BuildLake, Warehouse, write_lake

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]
START = datetime(2024, 1, 10, 9, tzinfo=UTC)
RATES = {"EUR": Fraction(1), "USD": Fraction("0.9137"), "GBP": Fraction("1.5")}
FEE_RATE = Fraction("0.015")
TOLERANCE = Fraction("0.02")
HALF_A_CENT = Fraction("0.005")
CENT = Decimal("0.01")


def cents(amount: Fraction) -> Decimal:
    """Round half away from zero."""
    sign = -1 if amount < 0 else 1
    exact = Decimal(abs(amount).numerator) / Decimal(abs(amount).denominator)
    return sign * exact.quantize(CENT, ROUND_HALF_UP)


def money(rng: random.Random, most: int) -> Decimal:
    return Decimal(rng.randrange(most)) / 100


def random_order(rng: random.Random, number: int) -> tuple[Row, list[Row]]:
    lines = [
        {
            "order_item_id": f"i-{number:04}-{place}",
            "order_id": f"o-{number:04}",
            "product_id": f"p-{rng.randrange(5)}",
            "quantity": Decimal(rng.choice([0, 1, 1, 1, 2, 3, 7])),
            "unit_price": rng.choice([Decimal(0), money(rng, 5000), money(rng, 500)]),
            "unit_cost": rng.choice([None, money(rng, 300)]),
            "discount_amount": rng.choice([None, Decimal(0), money(rng, 200)]),
        }
        for place in range(rng.choice([0, 1, 1, 2, 3, 5]))
    ]
    item_total = sum((row["quantity"] * row["unit_price"] for row in lines), Decimal(0))
    own_discount = sum((row["discount_amount"] or 0 for row in lines), Decimal(0))
    if not lines or rng.random() < 0.1:
        item_total += money(rng, 3000)  # a header that its lines do not explain
    discount = min(item_total, rng.choice([Decimal(0), own_discount, money(rng, 500)]))
    shipping, other = rng.choice([Decimal(0), Decimal("4.99")]), rng.choice([Decimal(0), CENT])
    parts = item_total - discount + shipping + other
    included = rng.random() < 0.5
    tax = (parts * Decimal(rng.choice([0, 7, 19, 20])) / 120).quantize(CENT)
    header = {
        "order_id": f"o-{number:04}",
        "customer_id": rng.choice([None, f"c-{rng.randrange(60)}"]),
        "ordered_at": (START + timedelta(hours=rng.randrange(24 * 80))).replace(tzinfo=None),
        "currency": rng.choice(list(RATES)),
        "item_total": item_total,
        "discount_total": discount,
        "shipping_total": shipping,
        "other_total": other,
        "tax_total": tax,
        "prices_include_tax": included,
        "order_total": parts + (0 if included else tax),
        "payment_fee": rng.choice([None, Decimal("0.35")]),
        "fulfilment_cost": rng.choice([None, Decimal("2.10")]),
        "status": rng.choice(["paid", "paid", "paid", "cancelled"]),
    }
    return header, lines


def random_refunds(rng: random.Random, header: Row, lines: list[Row]) -> list[Row]:
    refunds = []
    for place in range(rng.choice([0, 0, 0, 1, 2])):
        amount = rng.choice([header["order_total"], money(rng, 2000)])
        refunds.append(
            {
                "refund_id": f"r-{header['order_id']}-{place}",
                "order_id": header["order_id"],
                "order_item_id": rng.choice([None, *(row["order_item_id"] for row in lines)]),
                "refunded_at": header["ordered_at"] + timedelta(days=rng.randrange(40)),
                "amount": amount,
                "tax_amount": rng.choice([None, (amount / 6).quantize(CENT)]),
                "shipping_amount": rng.choice([None, min(amount, Decimal("4.99"))]),
                "quantity": rng.choice([None, Decimal(1)]),
                "is_restocked": rng.choice([None, True, True, False]),
            }
        )
    return refunds


def shop() -> dict[str, list[Row]]:
    rng = random.Random(20240110)
    tables: dict[str, list[Row]] = defaultdict(list)
    for number in range(600):
        header, lines = random_order(rng, number)
        tables["storefront/orders"].append(header)
        tables["storefront/order_items"] += lines
        tables["storefront/refunds"] += random_refunds(rng, header, lines)
    for number in range(4):  # p-4 is in no catalogue, p-3 has no cost
        cost = None if number == 3 else Decimal("0.85")
        tables["storefront/products"].append(
            {"product_id": f"p-{number}", "product_name": "A product", "unit_cost": cost}
        )
    for day in range(0, 100, 7):
        tables["storefront/exchange_rates"] += [
            {
                "rate_date": date(2024, 1, 8) + timedelta(days=day),
                "currency": currency,
                "rate_to_base": float(rate),
            }
            for currency, rate in RATES.items()
            if currency != "EUR"
        ]
    return tables


def share_out(amount: Decimal, weights: dict[str, Fraction]) -> dict[str, Decimal]:
    """Share an amount out by weight; the largest takes the rest, ties to the smallest key."""
    total = sum(weights.values())
    shares = {key: cents(Fraction(amount) * weight / total) for key, weight in weights.items()}
    taker = min(weights, key=lambda key: (-weights[key], key))
    shares[taker] += amount - sum(shares.values())
    return shares


def weigh(*choices: dict[str, Fraction]) -> dict[str, Fraction]:
    """Return the first weights that do not add up to 0, else equal ones."""
    for weights in choices:
        if sum(weights.values()) != 0:
            return weights
    return dict.fromkeys(choices[0], Fraction(1))


class ExpectedOrder:
    """One order by the definitions of money, in exact fractions until each rounding."""

    def __init__(self, header: Row, lines: list[Row], refunds: list[Row], costs: dict[str, Any]):
        total, tax = Fraction(header["order_total"]), Fraction(header["tax_total"])
        rate = RATES[header["currency"]]
        factor = 1 - tax / total if header["prices_include_tax"] and total else Fraction(1)
        self.untaxed = factor if header["prices_include_tax"] else None
        self.gross, self.discount, self.shipping, self.other = (
            cents(Fraction(header[name]) * factor * rate)
            for name in ("item_total", "discount_total", "shipping_total", "other_total")
        )
        self.net = self.gross - self.discount
        self.payment, self.fulfilment = (
            cents(Fraction(self.net) * FEE_RATE if name == "payment_fee" else Fraction(0))
            if header[name] is None
            else cents(Fraction(header[name]))
            for name in ("payment_fee", "fulfilment_cost")
        )
        self.cancelled = header["status"] == "cancelled"
        self.lines = {row["order_item_id"]: row for row in lines}
        self.tax_share = tax / total if total else Fraction(0)
        self.rate = rate
        self._share_sales(header)
        self._share_refunds(sorted(refunds, key=lambda row: (row["refunded_at"], row["refund_id"])))
        self._cost(costs)

    def _share_sales(self, header: Row) -> None:
        lines = self.lines.items()
        price = {key: Fraction(row["quantity"] * row["unit_price"]) for key, row in lines}
        units = {key: Fraction(row["quantity"]) for key, row in lines}
        own = {key: Fraction(row["discount_amount"] or 0) for key, row in lines}
        by_gross = weigh(price, units) if self.lines else {}
        explains = abs(sum(own.values()) - Fraction(header["discount_total"])) <= TOLERANCE
        by_discount = own if explains and sum(own.values()) else by_gross
        self.line_gross = share_out(self.gross, by_gross) if self.lines else {}
        self.line_discount = share_out(self.discount, by_discount) if self.lines else {}
        self.line_net = {key: self.line_gross[key] - self.line_discount[key] for key in self.lines}
        self.by_net = (
            weigh(
                {key: Fraction(value) for key, value in self.line_net.items()},
                {key: Fraction(value) for key, value in self.line_gross.items()},
                by_gross,
            )
            if self.lines
            else {}
        )
        self.line_shipping = share_out(self.shipping, self.by_net) if self.lines else {}

    def _share_refunds(self, refunds: list[Row]) -> None:
        self.refund = spread = Decimal(0)
        self.line_refund = dict.fromkeys(self.lines, Decimal(0))
        self.restocked = dict.fromkeys(self.lines, Fraction(0))
        for row in refunds:
            amount = Fraction(row["amount"])
            tax = (
                amount * self.tax_share
                if row["tax_amount"] is None
                else Fraction(row["tax_amount"])
            )
            refund = cents((amount - tax) * self.rate)
            carriage = Fraction(row["shipping_amount"] or 0)
            shipping = cents(carriage * (1 - tax / amount) * self.rate) if amount else Decimal(0)
            goods, line = refund - shipping, row["order_item_id"]
            self.refund += refund
            spread += shipping if line else refund
            if line:
                self.line_refund[line] += goods
            covering = (
                (amount - tax) * (1 - carriage / amount if amount else 1)
                if self.untaxed is None
                else (amount - carriage) * self.untaxed
            )
            self._restock(row, line, covering * self.rate, is_of_goods=goods > 0 or refund == 0)
        for key, part in (share_out(spread, self.by_net) if self.lines else {}).items():
            self.line_refund[key] += part

    def _restock(
        self, row: Row, line: str | None, covering: Fraction, *, is_of_goods: bool
    ) -> None:
        if not row["is_restocked"]:
            return
        most_missing = (TOLERANCE + HALF_A_CENT * len(self.lines)) * max(self.rate, Fraction(1))
        missing = Fraction(self.net if line is None else self.line_net[line]) - covering
        covers = is_of_goods and missing <= most_missing
        if line is None:
            units = sum(line_row["quantity"] for line_row in self.lines.values())
            covers = covers and (row["quantity"] is None or row["quantity"] >= units)
            returned = {key: line_row["quantity"] for key, line_row in self.lines.items() if covers}
        else:
            whole = self.lines[line]["quantity"] if covers else 0
            returned = {line: whole if row["quantity"] is None else row["quantity"]}
        for key, quantity in returned.items():
            most = Fraction(self.lines[key]["quantity"])
            self.restocked[key] = min(most, self.restocked[key] + Fraction(quantity))

    def _cost(self, costs: dict[str, Any]) -> None:
        self.cost: Decimal | None = Decimal(0) if self.lines else None
        for key, row in self.lines.items():
            unit = (
                row["unit_cost"] if row["unit_cost"] is not None else costs.get(row["product_id"])
            )
            if unit is None or self.cost is None:
                self.cost = None
                return
            self.cost += cents(Fraction(unit) * (Fraction(row["quantity"]) - self.restocked[key]))

    @property
    def revenue(self) -> Decimal:
        return self.net - self.refund + self.shipping + self.other


@pytest.fixture(scope="module")
def expected() -> dict[str, ExpectedOrder]:
    tables = shop()
    lines, refunds = defaultdict(list), defaultdict(list)
    for row in tables["storefront/order_items"]:
        lines[row["order_id"]].append(row)
    for row in tables["storefront/refunds"]:
        refunds[row["order_id"]].append(row)
    costs = {row["product_id"]: row["unit_cost"] for row in tables["storefront/products"]}
    return {
        row["order_id"]: ExpectedOrder(row, lines[row["order_id"]], refunds[row["order_id"]], costs)
        for row in tables["storefront/orders"]
    }


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, build_lake: BuildLake) -> Warehouse:
    lake: Path = write_lake(tmp_path_factory.mktemp("lake"), shop())
    return build_lake(lake, vars={"base_currency": "EUR", "payment_fee_rate": float(FEE_RATE)})


def test_each_order_is_worth_what_its_parts_are(warehouse, expected):
    found = warehouse.query(
        "select order_id, gross_sales, discount_amount, net_sales, refund_amount, shipping_amount,"
        " other_amount, net_revenue, payment_fee, fulfilment_cost, cost_of_goods"
        " from marts.fct_orders"
    )
    assert len(found) == len(expected)
    for order_id, *amounts in found:
        order = expected[order_id]
        assert amounts == [
            order.gross,
            order.discount,
            order.net,
            order.refund,
            order.shipping,
            order.other,
            order.revenue,
            order.payment,
            order.fulfilment,
            order.cost,
        ], order_id


def test_each_line_gets_its_share_of_its_order(warehouse, expected):
    found = warehouse.query(
        "select order_id, order_item_id, gross_sales, discount_amount, shipping_amount,"
        " refund_amount from marts.fct_order_items"
    )
    assert len(found) == sum(len(order.lines) for order in expected.values())
    for order_id, item_id, *amounts in found:
        order = expected[order_id]
        assert amounts == [
            order.line_gross[item_id],
            order.line_discount[item_id],
            order.line_shipping[item_id],
            order.line_refund[item_id],
        ], item_id


def test_margin_is_known_exactly_where_every_cost_is(warehouse, expected):
    found = dict(warehouse.query("select order_id, contribution_margin from marts.fct_orders"))
    for order_id, order in expected.items():
        known = (
            None
            if order.cost is None
            else order.revenue - order.cost - order.payment - order.fulfilment
        )
        assert found[order_id] == known


def test_what_moved_is_what_orders_that_stand_are_worth(warehouse, expected):
    [(moved,)] = warehouse.query("select sum(net_revenue) from marts.fct_sales_movements")
    assert moved == sum(order.revenue for order in expected.values() if not order.cancelled)
