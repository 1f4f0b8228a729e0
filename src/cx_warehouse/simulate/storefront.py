"""Tables of the shop itself: orders, lines, customers, refunds, deliveries, products and prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.arrays import (
    DAY,
    HOUR,
    NIGHTLY_LOAD,
    Ints,
    dates,
    identifiers,
    money,
    times,
    values,
    words,
)
from cx_warehouse.simulate.details import SECOND_ACCOUNT
from cx_warehouse.simulate.ids import (
    cart_words,
    customer_words,
    device_words,
    email_words,
    product_words,
    promotion_codes,
)
from cx_warehouse.simulate.purchases import STORE
from cx_warehouse.simulate.randomness import GLOBAL_CHUNK, stream

if TYPE_CHECKING:
    from cx_warehouse.simulate.chunk import Chunk
    from cx_warehouse.simulate.world import World

SALES_CHANNELS: Final = ("online", "store", "marketplace", "phone")
STATUSES: Final = ("placed", "paid", "fulfilled", "delivered", "cancelled")
PLACED, PAID, FULFILLED, DELIVERED, CANCELLED = range(5)
STORES: Final = tuple(f"store-{number}" for number in range(1, 7))
CARRIERS: Final = ("DHL", "DPD", "GLS")
REASONS: Final = ("size", "damaged", "not_as_described", "changed_mind", "late")
LATE_REASON: Final = 4
UPPER_CASE_SHARE: Final = 0.05
REFUND_SHARES: Final = (0.06, 0.12)
"""Of orders, and of the bargain segment's."""
REFUND_KINDS: Final = (0.28, 0.42, 0.12, 0.18)
FULL, LINE, PART_OF_LINE, GOODWILL = range(4)
REFUNDED_AFTER: Final = (5 * DAY, 28 * DAY)
CANCELLED_REFUNDED_SHARE: Final = 0.6
RESTOCKED_SHARE: Final = 0.7
LINE_DISCOUNT_SHARE: Final = 0.9
UNKNOWN_FEE_SHARE: Final = 0.04
TAX_GIVEN_SHARE: Final = 0.5
RATES: Final = {"GBP": 1.168, "USD": 0.923, "CHF": 1.041}
RATE_STEP: Final = 0.004
WEEKEND: Final = 5
TICK: Final = 10_000


def nightly(second: Ints, start: int) -> pa.Array:
    """Return when rows reach the lake: at two in the night after."""
    return times((second // DAY + 1) * DAY + NIGHTLY_LOAD, start)


def addresses(chunk: Chunk, number: Ints, purpose: str) -> pa.Array:
    """Write e-mail addresses, a few of them in another case."""
    is_upper = chunk.rng(f"{purpose} case").random(len(number)) < UPPER_CASE_SHARE
    return pc.if_else(
        pa.array(is_upper),
        email_words(chunk.people, number, "User"),
        email_words(chunk.people, number),
    )


def order_ids(chunk: Chunk, order: Ints) -> pa.Array:
    """Write ids of orders; negative numbers are null."""
    return identifiers("o", chunk.people.first_number + np.maximum(order, 0), order < 0)


def orders_table(chunk: Chunk) -> pa.Table:
    """Lay out `storefront.orders`, one row per order as it stands at the end of the lake."""
    purchases, orders, start = chunk.purchases, chunk.orders, chunk.start
    count = len(purchases)
    rng = chunk.rng("orders table")
    is_store = purchases.sales_channel == STORE
    status, updated = _status(chunk)
    store = np.where(is_store, purchases.person % len(STORES), -1)
    cart = np.where(purchases.sales_channel == 0, chunk.cart_number[:count], -1)
    no_tax = np.full(count, chunk.world.config.is_plain)
    return pa.table(
        {
            "order_id": order_ids(chunk, np.arange(count)),
            "customer_id": customer_words(chunk.people, chunk.order_customer),
            "email": addresses(chunk, chunk.order_email, "orders"),
            "ordered_at": times(purchases.second, start),
            "cancelled_at": times(chunk.cancelled_at, start),
            "sales_channel": words(SALES_CHANNELS, purchases.sales_channel),
            "store_id": words(STORES, store),
            "country": words(planted.COUNTRIES, chunk.people.country[purchases.person]),
            "status": words(STATUSES, status),
            "currency": words(chunk.world.config.currencies, chunk.order_currency),
            "item_total": money(orders.item_total),
            "discount_total": money(orders.discount),
            "shipping_total": money(orders.shipping),
            "other_total": money(orders.other),
            "tax_total": money(orders.tax),
            "prices_include_tax": values(~no_tax),
            "order_total": money(orders.total),
            "promotion_code": words(promotion_codes(chunk.world), purchases.promotion),
            "cart_id": words(cart_words(chunk.people, chunk.cart_number), cart),
            "anonymous_id": words(device_words(chunk.people), chunk.order_device),
            "payment_fee": money(orders.payment_fee),
            "fulfilment_cost": money(orders.fulfilment, rng.random(count) < UNKNOWN_FEE_SHARE),
            "updated_at": times(updated, start),
            "_loaded_at": nightly(np.maximum(purchases.second, chunk.cancelled_at), start),
        }
    )


def _status(chunk: Chunk) -> tuple[Ints, Ints]:
    """Return where each order stands and when that was written."""
    second = chunk.purchases.second
    deliveries = chunk.deliveries
    is_store = chunk.purchases.sales_channel == STORE
    status = np.where(deliveries.shipped >= 0, FULFILLED, PAID)
    status = np.where((deliveries.delivered >= 0) | is_store, DELIVERED, status)
    status = np.where(chunk.cancelled_at >= 0, CANCELLED, status)
    latest = np.maximum(np.maximum(deliveries.shipped, deliveries.delivered), chunk.cancelled_at)
    return status, np.maximum(latest, second + HOUR)


def items_table(chunk: Chunk) -> pa.Table:
    """Lay out `storefront.order_items`; costs are in base currency, without tax."""
    orders, baskets = chunk.orders, chunk.baskets
    line, owner = orders.line, orders.line_order
    has_own_discount = (
        chunk.rng("line discounts").random(len(chunk.purchases)) < LINE_DISCOUNT_SHARE
    )
    return pa.table(
        {
            "order_item_id": identifiers("i", chunk.people.first_number + np.arange(len(line))),
            "order_id": order_ids(chunk, owner),
            "product_id": words(product_words(chunk.world), baskets.product[line]),
            "quantity": values(baskets.quantity[line]),
            "unit_price": money(baskets.unit_price[line]),
            "list_price": money(baskets.unit_price[line]),
            "discount_amount": money(orders.line_discount, ~has_own_discount[owner]),
            "unit_cost": money(orders.line_cost, ~orders.has_line_cost),
            "_loaded_at": nightly(chunk.purchases.second[owner], chunk.start),
        }
    )


def customers_table(chunk: Chunk) -> pa.Table:
    """Lay out `storefront.customers`: accounts, second accounts, accounts whose address changed."""
    accounts, people = chunk.accounts, chunk.people
    person = np.flatnonzero(accounts.created >= 0)
    again = np.flatnonzero(accounts.second >= 0)
    moved = np.flatnonzero(accounts.email_changed >= 0)
    owner = np.concatenate([person, again, moved])
    number = np.concatenate([person, again + SECOND_ACCOUNT, moved])
    created = np.concatenate(
        [accounts.created[person], accounts.second[again], accounts.created[moved]]
    )
    email = np.concatenate([person, again, moved + SECOND_ACCOUNT])
    updated = np.concatenate(
        [
            accounts.created[person] + HOUR,
            accounts.second[again] + HOUR,
            accounts.email_changed[moved],
        ]
    )
    return pa.table(
        {
            "customer_id": customer_words(people, number),
            "email": addresses(chunk, email, "customers"),
            "created_at": times(created, chunk.start),
            "country": words(planted.COUNTRIES, people.country[owner]),
            "accepts_marketing": values(people.is_subscriber[owner]),
            "updated_at": times(updated, chunk.start),
            "_loaded_at": nightly(updated, chunk.start),
        }
    )


def moved_accounts(chunk: Chunk) -> pa.Array:
    """Return the ids of accounts whose older version is in the lake as well."""
    return customer_words(chunk.people, np.flatnonzero(chunk.accounts.email_changed >= 0))


def deliveries_table(chunk: Chunk) -> pa.Table:
    """Lay out `storefront.deliveries`: one for each order that was shipped."""
    order = np.flatnonzero(chunk.deliveries.shipped >= 0)
    promised, shipped, delivered = (
        times_of[order]
        for times_of in (
            chunk.deliveries.promised,
            chunk.deliveries.shipped,
            chunk.deliveries.delivered,
        )
    )
    return pa.table(
        {
            "delivery_id": identifiers("v", chunk.people.first_number + order),
            "order_id": order_ids(chunk, order),
            "promised_at": times(promised, chunk.start),
            "shipped_at": times(shipped, chunk.start),
            "delivered_at": times(delivered, chunk.start),
            "carrier": words(CARRIERS, chunk.purchases.person[order] % len(CARRIERS)),
            "updated_at": times(np.maximum(shipped, delivered), chunk.start),
            "_loaded_at": nightly(np.maximum(shipped, delivered), chunk.start),
        }
    )


def refunds_table(chunk: Chunk) -> pa.Table:
    """Lay out `storefront.refunds`: at most one per order, never more than was paid."""
    rng = chunk.rng("refunds")
    order, second, kind = _refunded(chunk, rng)
    orders, baskets, count = chunk.orders, chunk.baskets, len(order)
    line = np.searchsorted(orders.line_order, order)
    quantity = baskets.quantity[orders.line[line]]
    quantity = np.where(kind == PART_OF_LINE, 1, quantity)
    of_line = quantity * baskets.unit_price[orders.line[line]]
    of_line = of_line - orders.line_discount[line] * quantity // baskets.quantity[orders.line[line]]
    goodwill = orders.total[order] * rng.integers(8, 31, count) // 100
    amount = np.choose(kind, [orders.total[order], of_line, of_line, goodwill])
    has_line = (kind == LINE) | (kind == PART_OF_LINE)
    reason = np.where(
        chunk.purchases.is_late[order], LATE_REASON, rng.integers(0, LATE_REASON, count)
    )
    shipping = np.where(kind == FULL, orders.shipping[order], 0)
    tax = amount * planted.TAX_PERCENT // (100 + planted.TAX_PERCENT)
    tax = np.where(orders.tax[order] > 0, tax, 0)
    tax = np.where(kind == FULL, orders.tax[order], tax)
    item = chunk.people.first_number + line
    restocked = (rng.random(count) < RESTOCKED_SHARE) & (kind != GOODWILL)
    table = pa.table(
        {
            "refund_id": identifiers("r", chunk.people.first_number + order),
            "order_id": order_ids(chunk, order),
            "order_item_id": identifiers("i", item, ~has_line),
            "refunded_at": times(second, chunk.start),
            "amount": money(amount),
            "tax_amount": money(tax, rng.random(count) >= TAX_GIVEN_SHARE),
            "shipping_amount": money(shipping),
            "quantity": values(quantity, ~has_line),
            "reason": words(REASONS, reason),
            "is_restocked": values(restocked),
            "_loaded_at": nightly(second, chunk.start),
        }
    )
    return table.filter(pa.array(amount > 0))


def _refunded(chunk: Chunk, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Draw which orders are refunded, when, and how."""
    purchases, count = chunk.purchases, len(chunk.purchases)
    is_plain, customers = chunk.world.config.is_plain, chunk.people.customers
    is_bargain = (
        chunk.people.segment[np.minimum(purchases.person, customers - 1)] == planted.BARGAIN
    )
    share = np.where(is_bargain, REFUND_SHARES[1], REFUND_SHARES[0]) * (not is_plain)
    is_cancelled = chunk.cancelled_at >= 0
    share = np.where(chunk.orders.is_cancelled, CANCELLED_REFUNDED_SHARE * is_cancelled, share)
    second = np.maximum(purchases.second, chunk.deliveries.delivered)
    second += rng.integers(*REFUNDED_AFTER, count)
    second = np.where(is_cancelled, chunk.cancelled_at + DAY, second)
    weights = np.cumsum(REFUND_KINDS)
    kind = np.minimum(np.searchsorted(weights, rng.random(count), side="right"), GOODWILL)
    kind = np.where(is_cancelled, FULL, kind)
    order = np.flatnonzero((rng.random(count) < share) & (second < chunk.world.seconds))
    return order, second[order], kind[order]


def products_table(world: World) -> pa.Table:
    """Lay out `storefront.products`."""
    catalogue, start = world.catalogue, world.config.start_second
    count = len(catalogue.prices)
    names = [planted.CATEGORIES[c].title() for c in range(len(planted.CATEGORIES))]
    numbers = identifiers(" ", np.arange(count), digits=5)
    kinds = words(names, catalogue.categories).cast(pa.string())
    changed = np.zeros(count, np.int64)
    return pa.table(
        {
            "product_id": product_words(world),
            "product_name": pc.binary_join_element_wise(kinds, numbers, ""),
            "category": words(planted.CATEGORIES, catalogue.categories),
            "list_price": money(catalogue.prices),
            "unit_cost": money(catalogue.prices * catalogue.cost_percents // 119),
            "updated_at": times(changed, start),
            "_loaded_at": nightly(changed, start),
        }
    )


def promotions_table(world: World) -> pa.Table:
    """Lay out `storefront.promotions`: timed ones, then those that always stand."""
    timed = [
        (p.code, p.plan.name, p.plan.kind, p.plan.percent, True, p.first_day, p.end_day)
        for p in world.promotions
    ]
    standing = [
        (code, name, kind, percent, False, 0, world.config.days)
        for code, name, kind, percent in planted.STANDING_PROMOTIONS
    ]
    code, name, kind, percent, sitewide, first, end = zip(*timed, *standing, strict=True)
    start = world.config.start_second
    loaded = np.maximum(np.array(first), 1) * DAY - DAY
    return pa.table(
        {
            "promotion_id": pa.array([f"promo-{text.lower()}" for text in code]),
            "promotion_code": pa.array(code),
            "promotion_name": pa.array(name),
            "promotion_kind": pa.array(kind),
            "discount_value": money(np.array(percent) * 100),
            "is_sitewide": pa.array(sitewide),
            "starts_at": times(np.array(first) * DAY, start),
            "ends_at": times(np.array(end) * DAY - 1, start),
            "_loaded_at": nightly(loaded, start),
        }
    )


def rates_table(world: World) -> pa.Table:
    """Lay out `storefront.exchange_rates`: a random walk on working days."""
    rng = stream(world.config.seed, GLOBAL_CHUNK, "rates")
    day = np.arange(world.config.days)
    is_working = ((day + world.config.start.weekday()) % 7 < WEEKEND) | (day == 0)
    parts = []
    for currency, first in RATES.items():
        steps = rng.integers(-3, 4, world.config.days) * RATE_STEP / 3
        walk = np.rint(first * np.clip(1 + np.cumsum(steps), 0.8, 1.25) * TICK) / TICK
        kept = day[is_working]
        parts.append(
            pa.table(
                {
                    "rate_date": dates(kept, world.config.start_second),
                    "currency": pa.array([currency] * len(kept)),
                    "rate_to_base": values(walk[is_working]),
                    "_loaded_at": nightly(kept * DAY, world.config.start_second),
                }
            )
        )
    return pa.concat_tables(parts)
