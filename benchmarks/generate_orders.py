"""Write a raw lake of any size for benchmarks: orders, lines, refunds, customers and products.

The same arguments give the same files. Rows are made with NumPy in chunks of `CHUNK_ORDERS` orders,
one file per table and chunk, so memory does not grow with the size. Shapes follow real shops: few
customers buy most, few products sell most, baskets and prices have long right tails, trade grows
and peaks before Christmas.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK_ORDERS: Final = 250_000
ROW_GROUP_ROWS: Final = 100_000
DAYS: Final = 730
FIRST_DAY: Final = np.datetime64("2023-01-01", "us")
SECONDS_PER_DAY: Final = 86_400
MICROSECONDS: Final = 1_000_000
TIME_TYPE: Final = pa.timestamp("us", tz="UTC")
MONEY_TYPE: Final = pa.decimal128(18, 2)

MEAN_LINES: Final = 3.0
TAX_RATE: Final = 0.19
DISCOUNTED_SHARE: Final = 0.2
CANCELLED_SHARE: Final = 0.02
CUSTOMER_SHARE: Final = 0.85
GUEST_SHARE: Final = 0.10
EMAIL_SHARE: Final = 0.4
WHOLE_LINE_SHARE: Final = 0.7
ORDERS_PER_CUSTOMER: Final = 4
# A fifth of the customers places a third of the orders, the busiest one some hundreds of them.
CUSTOMER_SKEW: Final = 1.5
# A fifth of the products makes up three fifths of the lines.
PRODUCT_SKEW: Final = 3.0
FREE_SHIPPING_CENTS: Final = 5_000
SHIPPING_CENTS: Final = 490
CHANNELS: Final = np.array(["online", "store", "marketplace", "phone"])
CHANNEL_SHARES: Final = (0.78, 0.12, 0.08, 0.02)
COUNTRIES: Final = np.array(["DE", "FR", "NL", "AT", "GB"])
COUNTRY_SHARES: Final = (0.55, 0.18, 0.12, 0.08, 0.07)
CATEGORIES: Final = np.array(["home", "garden", "kitchen", "toys", "gifts", "paper", "bath"])


@dataclass(frozen=True)
class Size:
    """What to generate.

    Attributes
    ----------
    orders
        Number of orders.
    refund_rate
        Share of orders with a refund.
    products
        Number of products.
    seed
        Seed of every draw.
    """

    orders: int = 1_000_000
    refund_rate: float = 0.05
    products: int = 10_000
    seed: int = 1

    @property
    def customers(self) -> int:
        """Number of customers with an account."""
        return max(1, self.orders // ORDERS_PER_CUSTOMER)


@dataclass(frozen=True)
class Catalogue:
    """Prices and costs of the products in cents, indexed by product number."""

    list_prices: NDArray[np.int64]
    unit_costs: NDArray[np.int64]


@dataclass(frozen=True)
class Chunk:
    """Orders of one chunk and their lines; `line_order` is an index into the orders."""

    first_order: int
    ordered_at: NDArray[np.datetime64]
    line_order: NDArray[np.int64]
    product: NDArray[np.int64]
    quantity: NDArray[np.int64]
    unit_price: NDArray[np.int64]
    item_total: NDArray[np.int64]
    discount_total: NDArray[np.int64]
    shipping_total: NDArray[np.int64]

    @property
    def order_total(self) -> NDArray[np.int64]:
        """What was paid, tax in, in cents."""
        return self.item_total - self.discount_total + self.shipping_total


def money(cents: NDArray[np.int64]) -> pa.Array:
    """Turn whole cents into decimals without a detour through floats or text."""
    words = np.empty((len(cents), 2), dtype="<i8")
    words[:, 0] = cents
    words[:, 1] = cents >> 63
    return pa.Array.from_buffers(MONEY_TYPE, len(cents), [None, pa.py_buffer(words)])


def times(moments: NDArray[np.datetime64]) -> pa.Array:
    """Turn UTC moments in microseconds into timestamps."""
    return pa.array(moments.astype("datetime64[us]").astype(np.int64)).cast(TIME_TYPE)


def identifiers(
    prefix: str,
    numbers: NDArray[np.int64],
    is_null: NDArray[np.bool_] | None = None,
    suffix: str = "",
) -> pa.Array:
    """Write numbers as text behind a prefix, null where `is_null`."""
    texts = np.char.add(np.char.add(prefix, numbers.astype(str)), suffix)
    return pa.array(texts, pa.string(), mask=is_null)


def draw_days(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Draw days, with growth of a half over the time and a peak in November and December."""
    day = np.arange(DAYS)
    day_of_year = day % 365
    weights = (1 + 0.5 * day / DAYS) * (1 + 1.2 * ((day_of_year >= 305) & (day_of_year < 358)))  # noqa: PLR2004
    weights *= np.where(day % 7 < 5, 1.0, 0.8)  # noqa: PLR2004
    return rng.choice(day, size=count, p=weights / weights.sum())


def draw_skewed(
    rng: np.random.Generator,
    count: int,
    size: int,
    power: float,
) -> NDArray[np.int64]:
    """Draw numbers below `size`, small ones most: share s of them gets s^(1/power) of the draws."""
    return np.minimum((rng.random(count) ** power * size).astype(np.int64), size - 1)


def make_catalogue(size: Size, rng: np.random.Generator) -> Catalogue:
    """Draw log-normal list prices around 12 and costs between a third and two thirds of them."""
    list_prices = np.maximum(50, np.exp(rng.normal(np.log(1_200), 0.9, size.products)))
    unit_costs = list_prices * rng.uniform(0.33, 0.67, size.products)
    return Catalogue(list_prices.astype(np.int64), unit_costs.astype(np.int64))


def draw_chunk(
    first_order: int,
    count: int,
    catalogue: Catalogue,
    rng: np.random.Generator,
) -> Chunk:
    """Draw `count` orders with their lines and totals."""
    seconds = draw_days(rng, count) * SECONDS_PER_DAY + rng.integers(0, SECONDS_PER_DAY, count)
    line_count = rng.geometric(1 / MEAN_LINES, count)
    line_order = np.repeat(np.arange(count), line_count)
    product = draw_skewed(rng, len(line_order), len(catalogue.list_prices), PRODUCT_SKEW)
    quantity = rng.geometric(0.7, len(line_order))
    unit_price = catalogue.list_prices[product]
    item_total = np.bincount(line_order, quantity * unit_price, count).astype(np.int64)
    has_discount = rng.random(count) < DISCOUNTED_SHARE
    discount_total = np.where(has_discount, item_total * rng.integers(5, 31, count) // 100, 0)
    is_free = item_total >= FREE_SHIPPING_CENTS
    return Chunk(
        first_order=first_order,
        ordered_at=FIRST_DAY + seconds * MICROSECONDS,
        line_order=line_order,
        product=product,
        quantity=quantity,
        unit_price=unit_price,
        item_total=item_total,
        discount_total=discount_total,
        shipping_total=np.where(is_free, 0, SHIPPING_CENTS),
    )


def orders_table(chunk: Chunk, size: Size, rng: np.random.Generator) -> pa.Table:
    """Lay out the orders: customers, guests with an e-mail, and anonymous ones."""
    count = len(chunk.ordered_at)
    customer = draw_skewed(rng, count, size.customers, CUSTOMER_SKEW)
    kind = rng.random(count)
    is_customer = kind < CUSTOMER_SHARE
    is_guest = ~is_customer & (kind < CUSTOMER_SHARE + GUEST_SHARE)
    has_email = is_guest | (is_customer & (rng.random(count) < EMAIL_SHARE))
    is_cancelled = rng.random(count) < CANCELLED_SHARE
    cancelled_at = chunk.ordered_at + rng.integers(1, 48, count) * 3600 * MICROSECONDS
    return pa.table(
        {
            "order_id": identifiers("o", chunk.first_order + np.arange(count)),
            "customer_id": identifiers("c", customer, ~is_customer),
            "email": identifiers("customer", customer, ~has_email, "@example.com"),
            "ordered_at": times(chunk.ordered_at),
            "cancelled_at": pa.array(
                cancelled_at.astype(np.int64),
                pa.int64(),
                mask=~is_cancelled,
            ).cast(TIME_TYPE),
            "sales_channel": pa.array(rng.choice(CHANNELS, count, p=CHANNEL_SHARES)),
            "country": pa.array(rng.choice(COUNTRIES, count, p=COUNTRY_SHARES)),
            "status": pa.array(np.where(is_cancelled, "cancelled", "delivered")),
            "currency": pa.array(np.full(count, "EUR")),
            "item_total": money(chunk.item_total),
            "discount_total": money(chunk.discount_total),
            "shipping_total": money(chunk.shipping_total),
            "other_total": money(np.zeros(count, np.int64)),
            "tax_total": money(tax_inside(chunk.order_total)),
            "prices_include_tax": pa.array(np.ones(count, np.bool_)),
            "order_total": money(chunk.order_total),
            "updated_at": times(np.where(is_cancelled, cancelled_at, chunk.ordered_at)),
        },
    )


def tax_inside(amount: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the tax contained in amounts in cents."""
    tax: NDArray[np.int64] = np.rint(amount * TAX_RATE / (1 + TAX_RATE)).astype(np.int64)
    return tax


def items_table(chunk: Chunk, first_item: int, catalogue: Catalogue) -> pa.Table:
    """Lay out the lines; the header's discount is left to be allocated."""
    count = len(chunk.line_order)
    return pa.table(
        {
            "order_item_id": identifiers("i", first_item + np.arange(count)),
            "order_id": identifiers("o", chunk.first_order + chunk.line_order),
            "product_id": identifiers("p", chunk.product),
            "quantity": pa.array(chunk.quantity),
            "unit_price": money(chunk.unit_price),
            "list_price": money(catalogue.list_prices[chunk.product]),
            "unit_cost": money(catalogue.unit_costs[chunk.product]),
        },
    )


def refunds_table(
    chunk: Chunk,
    first_item: int,
    refund_rate: float,
    rng: np.random.Generator,
) -> pa.Table:
    """Refund a share of the orders: mostly a whole line, else a part of the order."""
    count = len(chunk.ordered_at)
    order = np.flatnonzero(rng.random(count) < refund_rate)
    line = np.searchsorted(chunk.line_order, order)
    is_line = rng.random(len(order)) < WHOLE_LINE_SHARE
    # What the line cost after the order's discount, and never more than was paid.
    kept_share = 1 - chunk.discount_total[order] / chunk.item_total[order]
    line_amount = chunk.quantity[line] * chunk.unit_price[line] * kept_share
    part = chunk.order_total[order] * rng.uniform(0.1, 1.0, len(order))
    amount = np.maximum(1, np.where(is_line, line_amount, part).astype(np.int64))
    # Half within a week, a long tail up to two months.
    delay = np.minimum(rng.exponential(10.0, len(order)), 60.0) * SECONDS_PER_DAY * MICROSECONDS
    return pa.table(
        {
            "refund_id": identifiers("r", chunk.first_order + order),
            "order_id": identifiers("o", chunk.first_order + order),
            "order_item_id": identifiers("i", first_item + line, ~is_line),
            "refunded_at": times(chunk.ordered_at[order] + delay.astype(np.int64)),
            "amount": money(amount),
            "tax_amount": money(tax_inside(amount)),
            "quantity": pa.array(chunk.quantity[line], mask=~is_line),
            "reason": pa.array(rng.choice(np.array(["size", "damaged", "taste"]), len(order))),
            "is_restocked": pa.array(rng.random(len(order)) < WHOLE_LINE_SHARE),
        },
    )


def customers_table(first: int, count: int, rng: np.random.Generator) -> pa.Table:
    """Lay out customers; accounts exist before the first possible order."""
    numbers = first + np.arange(count)
    seconds = rng.integers(0, DAYS * SECONDS_PER_DAY, count)
    return pa.table(
        {
            "customer_id": identifiers("c", numbers),
            "email": identifiers("customer", numbers, None, "@example.com"),
            "created_at": times(FIRST_DAY - seconds * MICROSECONDS),
            "country": pa.array(rng.choice(COUNTRIES, count, p=COUNTRY_SHARES)),
            "accepts_marketing": pa.array(rng.random(count) < EMAIL_SHARE),
        },
    )


def products_table(catalogue: Catalogue) -> pa.Table:
    """Lay out the catalogue."""
    numbers = np.arange(len(catalogue.list_prices))
    return pa.table(
        {
            "product_id": identifiers("p", numbers),
            "product_name": identifiers("Product ", numbers),
            "category": pa.array(CATEGORIES[numbers % len(CATEGORIES)]),
            "list_price": money(catalogue.list_prices),
            "unit_cost": money(catalogue.unit_costs),
        },
    )


def write_part(out: Path, name: str, part: int, table: pa.Table) -> None:
    """Write one file of a table."""
    folder = out / "storefront" / name
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"part-{part:04d}.parquet"
    pq.write_table(table, file, compression="zstd", row_group_size=ROW_GROUP_ROWS)


def generate(out: Path, size: Size) -> dict[str, int]:
    """Write the lake and return the rows of each table.

    Parameters
    ----------
    out
        Root of a raw lake that does not exist yet.
    size
        What to generate.

    Returns
    -------
    dict[str, int]
        Table name to number of rows.
    """
    chunks = range(0, size.orders, CHUNK_ORDERS)
    catalogue_rng, *rngs = (
        np.random.default_rng(seed)
        for seed in np.random.SeedSequence(size.seed).spawn(1 + 2 * len(chunks))
    )
    catalogue = make_catalogue(size, catalogue_rng)
    write_part(out, "products", 0, products_table(catalogue))
    rows = dict.fromkeys(("orders", "order_items", "refunds", "customers"), 0)

    def write(name: str, part: int, table: pa.Table) -> None:
        write_part(out, name, part, table)
        rows[name] += table.num_rows

    for part, first in enumerate(chunks):
        order_rng, customer_rng = rngs[2 * part : 2 * part + 2]
        chunk = draw_chunk(first, min(CHUNK_ORDERS, size.orders - first), catalogue, order_rng)
        first_item = rows["order_items"]
        write("orders", part, orders_table(chunk, size, order_rng))
        write("order_items", part, items_table(chunk, first_item, catalogue))
        write("refunds", part, refunds_table(chunk, first_item, size.refund_rate, order_rng))
        count = max(0, min(CHUNK_ORDERS, size.customers - first))
        if count:
            write("customers", part, customers_table(first, count, customer_rng))
    return rows | {"products": size.products}


def main() -> None:
    """Read the command line and write the lake."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="root of the raw lake to write")
    parser.add_argument("--orders", type=int, default=Size.orders)
    parser.add_argument("--refund-rate", type=float, default=Size.refund_rate)
    parser.add_argument("--products", type=int, default=Size.products)
    parser.add_argument("--seed", type=int, default=Size.seed)
    arguments = parser.parse_args()
    size = Size(arguments.orders, arguments.refund_rate, arguments.products, arguments.seed)
    for name, count in generate(arguments.out, size).items():
        print(f"{name:12} {count:>12,}")


if __name__ == "__main__":
    main()
