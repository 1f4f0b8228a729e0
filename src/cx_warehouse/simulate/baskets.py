"""What is in baskets, and what orders come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.arrays import Bools, Floats, Ints, ranks
from cx_warehouse.simulate.purchases import STORE, Purchases
from cx_warehouse.simulate.randomness import choose, stream

if TYPE_CHECKING:
    from cx_warehouse.simulate.people import People
    from cx_warehouse.simulate.world import World

MOST_LINES: Final = 8
EURO_PER_LINE: Final = 40.0
QUANTITY_SHARES: Final = (0.0, 0.84, 0.12, 0.04)
FREE_SHIPPING_CENTS: Final = 5_000
SHIPPING_CENTS: Final = 490
GIFT_WRAP_SHARE: Final = 0.03
GIFT_WRAP_CENTS: Final = 250
UNKNOWN_COST_SHARE: Final = 0.02
CANCELLED_SHARE: Final = 0.015
FEE_SHARE: Final = 0.014
FEE_CENTS: Final = 25
FULFILMENT_CENTS: Final = 420
FULFILMENT_PER_LINE_CENTS: Final = 60
LEAST_CENTS: Final = 99


@dataclass(frozen=True)
class Baskets:
    """Lines of all baskets of a chunk, those of a basket in a row.

    Attributes
    ----------
    first, size
        Shape (baskets,): first line and number of lines.
    product, quantity, unit_price
        Shape (lines,); prices in cents of the order's currency, tax in.
    """

    first: Ints
    size: Ints
    product: Ints
    quantity: Ints
    unit_price: Ints

    def lines_of(self, basket: Ints) -> tuple[Ints, Ints]:
        """Return the line numbers of baskets, and which of them each belongs to."""
        size = self.size[basket]
        owner = np.repeat(np.arange(len(basket)), size)
        return self.first[basket][owner] + ranks(size), owner


@dataclass(frozen=True)
class Orders:
    """Money of orders, in cents: shape (orders,), and (lines,) for what begins with `line`."""

    line: Ints
    line_order: Ints
    line_discount: Ints
    line_cost: Ints
    has_line_cost: Bools
    item_total: Ints
    discount: Ints
    shipping: Ints
    other: Ints
    tax: Ints
    total: Ints
    payment_fee: Ints
    fulfilment: Ints
    is_cancelled: Bools


def draw_baskets(world: World, people: People, person: Ints, name: str) -> Baskets:
    """Fill a basket for each person named: a gamma-gamma value spread over lines.

    Parameters
    ----------
    world, people
        The shop and its persons.
    person
        Shape (baskets,). Visitors, who have no planted spend, fill like customers drawn at random.
    name
        Purpose of the draws.
    """
    rng = stream(world.config.seed, people.chunk, name)
    value = order_values(world, people, person, rng)
    size = 1 + np.minimum(rng.poisson(value / EURO_PER_LINE), MOST_LINES - 1)
    owner = np.repeat(np.arange(len(person)), size)
    weight = 0.4 + rng.random(len(owner))
    share = weight / np.bincount(owner, weight, len(person))[owner]
    quantity = choose(rng, QUANTITY_SHARES, len(owner))
    tax = 1.0 if world.config.is_plain else 1 + planted.TAX_PERCENT / 100
    cents = share * value[owner] * tax * 100 / quantity
    unit_price = np.maximum(
        np.rint(cents).astype(np.int64), 1 if world.config.is_plain else LEAST_CENTS
    )
    product = world.catalogue.near_price(rng, cents)
    return Baskets(np.cumsum(size) - size, size, product, quantity, unit_price)


def order_values(world: World, people: People, person: Ints, rng: np.random.Generator) -> Floats:
    """Draw net sales before discounts: gamma with shape p and the person's rate."""
    buyer = np.where(
        person < people.customers, person, rng.integers(0, people.customers, len(person))
    )
    shape = np.array([segment.p for segment in world.segments])[people.segment[buyer]]
    return rng.standard_gamma(shape) / people.spend_rate[buyer]


def price_orders(
    world: World, people: People, orders: Purchases, baskets: Baskets, basket: Ints
) -> Orders:
    """Work out discounts, shipping, tax and totals; the header always equals its parts.

    Parameters
    ----------
    world, people, orders, baskets
        The shop, its persons, the orders and all baskets.
    basket
        Shape (orders,): basket of each order.
    """
    rng = stream(world.config.seed, people.chunk, "prices")
    plain, count = world.config.is_plain, len(orders)
    line, owner = baskets.lines_of(basket)
    gross = baskets.quantity[line] * baskets.unit_price[line]
    percent = _percents(world)[orders.promotion]
    line_discount = gross * percent[owner] // 100
    item_total = _sum(owner, gross, count)
    discount = _sum(owner, line_discount, count)
    paid = item_total - discount
    is_free = (orders.sales_channel == STORE) | (paid >= FREE_SHIPPING_CENTS)
    is_free |= _ships_free(world)[orders.promotion]
    shipping = np.where(is_free | plain, 0, SHIPPING_CENTS)
    is_gift = (rng.random(count) < GIFT_WRAP_SHARE) & (not plain)
    other = np.where(is_gift, GIFT_WRAP_CENTS, 0)
    total = paid + shipping + other
    tax = total * planted.TAX_PERCENT // (100 + planted.TAX_PERCENT) * (not plain)
    cost = baskets.unit_price[line] * world.catalogue.cost_percents[baskets.product[line]] // 119
    from_store = orders.sales_channel == STORE
    fulfilment = FULFILMENT_CENTS + FULFILMENT_PER_LINE_CENTS * baskets.size[basket]
    return Orders(
        line=line,
        line_order=owner,
        line_discount=line_discount,
        line_cost=cost,
        has_line_cost=rng.random(len(line)) >= (0.0 if plain else UNKNOWN_COST_SHARE),
        item_total=item_total,
        discount=discount,
        shipping=shipping,
        other=other,
        tax=tax,
        total=total,
        payment_fee=FEE_CENTS + np.rint(total * FEE_SHARE).astype(np.int64),
        fulfilment=np.where(from_store, 0, fulfilment),
        is_cancelled=rng.random(count) < (0.0 if plain else CANCELLED_SHARE),
    )


def _sum(owner: Ints, amounts: Ints, count: int) -> Ints:
    return np.bincount(owner, amounts, count).astype(np.int64)


def _percents(world: World) -> Ints:
    """Return the discount of each promotion by number; the last entry stands for none."""
    timed = [promotion.plan.percent for promotion in world.promotions]
    standing = [percent for _, _, _, percent in planted.STANDING_PROMOTIONS]
    return np.array([*timed, *standing, 0], np.int64)


def _ships_free(world: World) -> Bools:
    timed = [promotion.plan.kind == "free_shipping" for promotion in world.promotions]
    return np.array([*timed, *(False for _ in planted.STANDING_PROMOTIONS), False])
