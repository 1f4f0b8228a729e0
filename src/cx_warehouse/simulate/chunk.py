"""One chunk of persons with all that they do; the tables are laid out from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cx_warehouse.simulate.arrays import DAY, HOUR, NEVER, Bools, Ints
from cx_warehouse.simulate.baskets import Baskets, Orders, draw_baskets, price_orders
from cx_warehouse.simulate.details import LOGGED_OUT, SECOND_ACCOUNT, Details, draw_details
from cx_warehouse.simulate.layout import EventRows, lay_out
from cx_warehouse.simulate.people import Accounts, People, draw_accounts, draw_people
from cx_warehouse.simulate.purchases import (
    IN_MARKETPLACE,
    ONLINE,
    STORE,
    Lifetimes,
    Purchases,
    draw_purchases,
    recovered,
)
from cx_warehouse.simulate.randomness import choose, stream
from cx_warehouse.simulate.visits import (
    Carts,
    Visits,
    draw_carts,
    draw_failed_visits,
    draw_order_visits,
    draw_recovery_visits,
    draw_status_visits,
    joined,
)

if TYPE_CHECKING:
    from cx_warehouse.simulate.world import World

CARD_SHARE: Final = 0.85
"""Share of store orders of account holders with the account's card."""
EMAIL_BESIDE_ACCOUNT: Final = 0.6
DEVICE_KNOWN_SHARE: Final = 0.9
PROMISED_DAYS: Final = 4
LATE_BY: Final = (6 * HOUR, 6 * DAY)
SHIPPED_AFTER: Final = (4 * HOUR, 40 * HOUR)
UNDER_WAY: Final = (18 * HOUR, 50 * HOUR)
CANCELLED_AFTER: Final = (HOUR, 48 * HOUR)


@dataclass(frozen=True)
class Deliveries:
    """Times of each order's delivery in seconds, shape (orders,); `NEVER` where there is none."""

    promised: Ints
    shipped: Ints
    delivered: Ints


@dataclass(frozen=True)
class Chunk:
    """All persons of a chunk and what they do.

    Attributes
    ----------
    basket
        Shape (orders,): basket of each order. Baskets of the purchase process come first, in the
        process's order, then the abandoned carts.
    cart_number
        Shape (orders + carts,): number of the cart of an order, then of a cart.
    visit_baskets
        Baskets by the number that visits use: of the orders, then of the carts.
    order_customer, order_email, order_device, order_currency
        Shape (orders,): numbers of what the order shows, or -1.
    """

    number: int
    world: World
    people: People
    accounts: Accounts
    lifetimes: Lifetimes
    purchases: Purchases
    orders: Orders
    baskets: Baskets
    basket: Ints
    cart_number: Ints
    carts: Carts
    visits: Visits
    visit_baskets: Baskets
    details: Details
    events: EventRows
    order_customer: Ints
    order_email: Ints
    order_device: Ints
    order_currency: Ints
    cancelled_at: Ints
    deliveries: Deliveries

    @property
    def start(self) -> int:
        """The lake's first second since 1970."""
        return self.world.config.start_second

    def rng(self, purpose: str) -> np.random.Generator:
        """Return the generator of a purpose."""
        return stream(self.world.config.seed, self.number, purpose)


def draw_chunk(world: World, number: int, customers: int) -> Chunk:
    """Simulate a chunk of persons."""
    people = draw_people(world, number, customers)
    process, lifetimes = draw_purchases(world, people)
    first_order = process.second[process.ordinal == 0]
    accounts = draw_accounts(world, people, first_order)
    failed = draw_failed_visits(world, people)
    carts = draw_carts(world, people, accounts, first_order, failed)
    baskets = _all_baskets(world, people, process, carts)
    purchases, basket = _all_orders(world, people, process, carts)
    orders = price_orders(world, people, purchases, baskets, basket)
    visits = _all_visits(world, people, purchases, carts, failed)
    cart_basket = len(process) + np.arange(len(carts.person))
    visit_baskets = baskets.take(np.concatenate([basket, cart_basket]))
    size = np.append(visit_baskets.size, 0)[visits.basket]
    details = draw_details(world, people, accounts, purchases, visits, size)
    customer, email, device = _shown(world, people, accounts, purchases, visits, details)
    has_cart = (purchases.sales_channel == ONLINE) & people.is_tracked[purchases.person]
    cancelled, deliveries = _fates(world, people, purchases, orders)
    return Chunk(
        number=number,
        world=world,
        people=people,
        accounts=accounts,
        lifetimes=lifetimes,
        purchases=purchases,
        orders=orders,
        baskets=baskets,
        basket=basket,
        cart_number=np.concatenate([np.where(has_cart, basket, -1), cart_basket]),
        carts=carts,
        visits=visits,
        visit_baskets=visit_baskets,
        details=details,
        events=lay_out(world, people, visits, details),
        order_customer=customer,
        order_email=email,
        order_device=device,
        order_currency=_currencies(world, people, purchases),
        cancelled_at=cancelled,
        deliveries=deliveries,
    )


def _all_baskets(world: World, people: People, process: Purchases, carts: Carts) -> Baskets:
    """Fill the baskets of the process's orders, then those of the carts left behind."""
    own = draw_baskets(world, people, process.person, "baskets")
    abandoned = draw_baskets(world, people, carts.person, "abandoned baskets")
    return Baskets(
        np.concatenate([own.first, abandoned.first + len(own.product)]),
        np.concatenate([own.size, abandoned.size]),
        np.concatenate([own.product, abandoned.product]),
        np.concatenate([own.quantity, abandoned.quantity]),
        np.concatenate([own.unit_price, abandoned.unit_price]),
    )


def _all_orders(
    world: World, people: People, process: Purchases, carts: Carts
) -> tuple[Purchases, Ints]:
    """Add the recovered carts to the orders of the process, sorted by time."""
    closed = np.flatnonzero(carts.is_recovered)
    extra = recovered(people, closed, carts.person[closed], carts.recovery_second[closed])
    with_code = np.where(carts.is_reminded[closed], len(world.promotions), -1)
    names = Purchases.__dataclass_fields__
    both = {name: np.concatenate([getattr(process, name), getattr(extra, name)]) for name in names}
    both["promotion"][len(process) :] = with_code
    basket = np.concatenate([np.arange(len(process)), len(process) + closed])
    index = np.lexsort((basket, both["second"]))
    return Purchases(**both).take(index), basket[index]


def _all_visits(
    world: World, people: People, purchases: Purchases, carts: Carts, failed: Visits
) -> Visits:
    """Put all visits together; abandoned carts are numbered behind the orders."""
    first_journey = int(failed.journey.max()) + 1 if len(failed) else 0
    changed = {name: getattr(failed, name) for name in Visits.__dataclass_fields__}
    changed["basket"] = np.where(failed.basket >= 0, failed.basket + len(purchases), -1)
    visits = joined(
        [
            Visits(**changed),
            draw_order_visits(world, people, purchases, first_journey),
            draw_recovery_visits(purchases, carts),
            draw_status_visits(world, people, purchases),
        ]
    )
    return visits.take(people.is_tracked[visits.person])


def _shown(  # noqa: PLR0913, PLR0917 - all that decides what an order shows
    world: World,
    people: People,
    accounts: Accounts,
    purchases: Purchases,
    visits: Visits,
    details: Details,
) -> tuple[Ints, Ints, Ints]:
    """Return the numbers of account, address and device that orders show."""
    rng = stream(world.config.seed, people.chunk, "shown")
    count, person = len(purchases), purchases.person
    visit = np.full(count, -1)
    at = np.flatnonzero(visits.order >= 0)
    visit[visits.order[at]] = at
    is_online = (purchases.sales_channel == ONLINE) & (visit >= 0)
    is_logged_in = np.append(details.login, LOGGED_OUT)[visit] != LOGGED_OUT
    created = accounts.created[person]
    has_account = (created >= 0) & (created <= purchases.second)
    offline = np.where(has_account & (rng.random(count) < CARD_SHARE), person, -1)
    offline = np.where(purchases.sales_channel == IN_MARKETPLACE, -1, offline)
    customer = np.where(
        is_online, np.where(is_logged_in, np.append(details.customer, -1)[visit], -1), offline
    )
    shows_email = (customer < 0) | (rng.random(count) < EMAIL_BESIDE_ACCOUNT)
    shows_email &= purchases.sales_channel != STORE
    device = np.where(
        is_online & (rng.random(count) < DEVICE_KNOWN_SHARE),
        np.append(details.device, -1)[visit],
        -1,
    )
    return customer, np.where(shows_email, email_at(accounts, person, purchases.second), -1), device


def account_at(accounts: Accounts, person: Ints, second: Ints) -> Ints:
    """Return the number of the account that persons have at a time, or -1."""
    created = accounts.created[person]
    return np.where((created >= 0) & (created <= second), person, -1)


def email_at(accounts: Accounts, person: Ints, second: Ints) -> Ints:
    """Return the number of the address that persons use at a time."""
    changed = accounts.email_changed[person]
    return np.where((changed >= 0) & (changed <= second), person + SECOND_ACCOUNT, person)


def _currencies(world: World, people: People, purchases: Purchases) -> Ints:
    """Give each person one currency: the base currency for three quarters."""
    rng = stream(world.config.seed, people.chunk, "currencies")
    others = len(world.config.currencies) - 1
    weights = [3.0, *([1 / others] * others)] if others else [1.0]
    return choose(rng, weights, people.count)[purchases.person]


def _fates(
    world: World, people: People, purchases: Purchases, orders: Orders
) -> tuple[Ints, Deliveries]:
    """Draw cancellations and deliveries; what lies beyond the lake has not happened."""
    rng = stream(world.config.seed, people.chunk, "deliveries")
    count, end = len(purchases), world.seconds
    cancelled = purchases.second + rng.integers(*CANCELLED_AFTER, count)
    cancelled = np.where(orders.is_cancelled & (cancelled < end), cancelled, NEVER)
    is_sent = (purchases.sales_channel != STORE) & ~orders.is_cancelled
    promised = (purchases.second // DAY + PROMISED_DAYS + 1) * DAY - 4 * HOUR
    shipped = purchases.second + rng.integers(*SHIPPED_AFTER, count)
    in_time = shipped + rng.integers(*UNDER_WAY, count)
    delivered = np.where(purchases.is_late, promised + rng.integers(*LATE_BY, count), in_time)
    is_sent &= shipped < end
    return cancelled, Deliveries(
        promised=np.where(is_sent, promised, NEVER),
        shipped=np.where(is_sent, shipped, NEVER),
        delivered=np.where(is_sent & (delivered < end), delivered, NEVER),
    )


def known(happens: Bools, second: Ints, end: int) -> Ints:
    """Return times that happen within the lake, else `NEVER`."""
    return np.where(happens & (second < end), second, NEVER)
