"""Visits to the shop: those that lead to orders, those that do not, and those after orders."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.arrays import DAY, HOUR, NEVER, Bools, Ints
from cx_warehouse.simulate.journeys import (
    Paths,
    draw_paths,
    online_orders,
    visits_before,
)
from cx_warehouse.simulate.people import FAILED_OF_CUSTOMERS, Accounts, People
from cx_warehouse.simulate.purchases import ONLINE, Purchases
from cx_warehouse.simulate.randomness import choose, exponential_table, from_table, stream

if TYPE_CHECKING:
    from cx_warehouse.simulate.world import World

FAILED_DEPTHS: Final = (0.40, 0.44, 0.10, 0.03, 0.015, 0.015)
EARLIER_DEPTHS: Final = (0.15, 0.50, 0.35)
RESEARCH, PURCHASE, SUPPORT = range(3)
INTENTS: Final = ("research", "purchase", "support")
LOOKBACK: Final = 21 * DAY
LEAST_ROOM: Final = 6 * HOUR
LEAST_GAP: Final = 2 * HOUR
GAPS: Final = exponential_table(3.0 * DAY, 20.0 * DAY)
STATUS_SHARE: Final = 0.30
STATUS_AFTER: Final = (DAY, 4 * DAY)
REMINDER_AFTER: Final = (4 * HOUR, 9 * HOUR)
RECOVERY_DELAYS: Final = exponential_table(14.0 * HOUR, 5.0 * DAY)


@dataclass(frozen=True)
class Visits:
    """Visits of a chunk, each array of shape (visits,).

    Attributes
    ----------
    second
        When it starts; for a visit with an order, when the order is placed.
    channel
        State of the planted chain.
    depth
        Furthest stage: bounce, browse, cart, checkout, shipping, payment, order.
    order, basket
        Order placed in it, basket worked on in it, or -1.
    fills
        Whether the basket's lines are added in it.
    journey
        Number of its journey within the chunk; -1 for visits outside the chain.
    """

    person: Ints
    second: Ints
    channel: Ints
    depth: Ints
    order: Ints
    basket: Ints
    fills: Bools
    intent: Ints
    journey: Ints

    def __len__(self) -> int:
        """Count the visits."""
        return len(self.person)

    def take(self, index: Ints | Bools) -> Visits:
        """Pick visits."""
        return Visits(*(getattr(self, field.name)[index] for field in fields(self)))


@dataclass(frozen=True)
class Carts:
    """Carts that no order of the purchase process closed, each array of shape (carts,).

    Attributes
    ----------
    last_second
        Start of the last visit that touched it.
    is_eligible
        Whether its person could get a reminder.
    is_reminded, reminder_second
        Whether and when it was sent; where it was not, when it would have been.
    would_recover, would_recover_reminded
        What happens without, and with a reminder.
    """

    person: Ints
    last_second: Ints
    is_eligible: Bools
    is_reminded: Bools
    reminder_second: Ints
    would_recover: Bools
    would_recover_reminded: Bools
    recovery_second: Ints

    @property
    def is_recovered(self) -> Bools:
        """Whether an order closes it."""
        return np.where(self.is_reminded, self.would_recover_reminded, self.would_recover)


def joined(parts: list[Visits]) -> Visits:
    """Put visits one behind the other."""
    return Visits(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Visits))
    )


def draw_failed_visits(world: World, people: People) -> Visits:
    """Draw the visits of journeys that end without an order; `basket` numbers their carts."""
    rng = stream(world.config.seed, people.chunk, "failed visits")
    owner = _owners(world, people, rng)
    paths = draw_paths(rng, world.chain, len(owner), is_converted=False)
    count = len(paths.journey)
    day = choose(rng, world.traffic, len(owner))
    start = day * DAY + from_table(rng, world.hours, len(owner)) * HOUR
    start += rng.integers(0, HOUR, len(owner))
    is_first = np.concatenate([[True], paths.is_last[:-1]]) if count else np.zeros(0, np.bool_)
    gaps = np.where(is_first, 0, LEAST_GAP + from_table(rng, GAPS, count))
    ladder = np.cumsum(gaps)
    second = start[paths.journey] + ladder - ladder[is_first][paths.journey]
    depth = choose(rng, FAILED_DEPTHS, count)
    visits = Visits(
        person=owner[paths.journey],
        second=second,
        channel=paths.channel,
        depth=depth,
        order=np.full(count, -1),
        basket=np.full(count, -1),
        fills=np.zeros(count, np.bool_),
        intent=np.where(depth >= planted.CART, PURCHASE, RESEARCH),
        journey=paths.journey,
    )
    leaves_events = (second < world.seconds) & people.is_tracked[visits.person]
    return _with_carts(visits.take(leaves_events))


def _owners(world: World, people: People, rng: np.random.Generator) -> Ints:
    """Draw whose journeys fail: visitors' at least once each, and customers'."""
    visitors = np.arange(people.customers, people.count)
    if world.config.is_plain:
        return visitors
    journeys = people.customers * world.chain.failed_per_order * online_orders(world.config)
    of_customers = rng.integers(0, people.customers, round(journeys * FAILED_OF_CUSTOMERS))
    more = max(0, round(journeys) - len(of_customers) - len(visitors))
    again = rng.integers(people.customers, people.count, more)
    return np.concatenate([of_customers, visitors, again])


def _with_carts(visits: Visits) -> Visits:
    """Give the visits of a journey that reach the cart one cart; the first of them fills it."""
    has_cart = visits.depth >= planted.CART
    journeys, first = np.unique(visits.journey[has_cart], return_index=True)
    basket = np.where(has_cart, np.searchsorted(journeys, visits.journey), -1)
    fills = np.zeros(len(visits), np.bool_)
    fills[np.flatnonzero(has_cart)[first]] = True
    changed = {f.name: getattr(visits, f.name) for f in fields(Visits)}
    return Visits(**(changed | {"basket": basket, "fills": fills}))


def draw_carts(
    world: World, people: People, accounts: Accounts, first_order: Ints, visits: Visits
) -> Carts:
    """Draw which abandoned carts get a reminder, and which are recovered."""
    rng = stream(world.config.seed, people.chunk, "reminders")
    with_cart = visits.take(visits.basket >= 0)
    count = int(with_cart.basket.max()) + 1 if len(with_cart) else 0
    person, last = np.zeros(count, np.int64), np.zeros(count, np.int64)
    person[with_cart.basket] = with_cart.person
    np.maximum.at(last, with_cart.basket, with_cart.second)
    known_since = np.full(people.count, NEVER)
    known_since[: people.customers] = first_order
    created = accounts.created
    known_since = np.where(created >= 0, np.minimum(created, known_since), known_since)
    known_since = np.where((known_since < 0) & (created >= 0), created, known_since)
    reminder = last + rng.integers(*REMINDER_AFTER, count)
    known = known_since[person]
    is_eligible = (known >= 0) & (known < last) & (person < people.customers)
    is_eligible &= people.is_subscriber[person] & (reminder < world.seconds)
    drawn = rng.random(count)
    recovery = reminder + HOUR // 2 + from_table(rng, RECOVERY_DELAYS, count)
    in_time = is_eligible & (recovery < world.seconds)
    return Carts(
        person=person,
        last_second=last,
        is_eligible=is_eligible,
        is_reminded=is_eligible & (rng.random(count) >= planted.REMINDER_HELD_OUT),
        reminder_second=reminder,
        would_recover=in_time & (drawn < planted.RECOVERY_WITHOUT),
        would_recover_reminded=in_time & (drawn < planted.RECOVERY_WITH),
        recovery_second=recovery,
    )


def draw_order_visits(
    world: World, people: People, orders: Purchases, first_journey: int
) -> Visits:
    """Draw the visits before and with the orders of the purchase process on the web.

    Parameters
    ----------
    world, people
        The shop and its persons.
    orders
        All orders of the chunk, sorted by time.
    first_journey
        Number of the first journey.
    """
    rng = stream(world.config.seed, people.chunk, "order visits")
    order = np.flatnonzero((orders.sales_channel == ONLINE) & (orders.cart < 0))
    paths = _order_paths(world, people, orders.take(order), rng)
    room = _room_before(orders)[order]
    remaining = visits_before(paths)
    kept = (remaining == 0) | (room[paths.journey] >= LEAST_ROOM)
    paths = Paths(paths.journey[kept], paths.channel[kept], paths.is_last[kept])
    order, room = order[paths.journey], room[paths.journey]
    count = len(order)
    before = LEAST_GAP + (room * rng.random(count) ** 2).astype(np.int64)
    second = orders.second[order] - np.where(paths.is_last, 0, before)
    second = second[np.lexsort((second, order))]
    depth = np.where(paths.is_last, planted.ORDER, choose(rng, EARLIER_DEPTHS, count))
    return Visits(
        person=orders.person[order],
        second=second,
        channel=paths.channel,
        depth=depth,
        order=np.where(paths.is_last, order, -1),
        basket=np.where(depth >= planted.CART, order, -1),
        fills=_fills(paths.journey, depth),
        intent=np.where(depth >= planted.CART, PURCHASE, RESEARCH),
        journey=first_journey + paths.journey,
    )


def _order_paths(
    world: World, people: People, orders: Purchases, rng: np.random.Generator
) -> Paths:
    """Draw a journey for each order; those of first orders are drawn already."""
    paths = draw_paths(rng, world.chain, len(orders), is_converted=True)
    is_first = orders.ordinal == 0
    journey_of = np.full(people.customers, -1)
    journey_of[orders.person[is_first]] = np.flatnonzero(is_first)
    first = people.first_paths
    known = journey_of[first.journey]
    drawn = ~is_first[paths.journey]
    journey = np.concatenate([paths.journey[drawn], known[known >= 0]])
    channel = np.concatenate([paths.channel[drawn], first.channel[known >= 0]])
    is_last = np.concatenate([paths.is_last[drawn], first.is_last[known >= 0]])
    index = np.argsort(journey, kind="stable")
    return Paths(journey[index], channel[index], is_last[index])


def _room_before(orders: Purchases) -> Ints:
    """Return how many seconds before each order its journey may have begun."""
    index = np.lexsort((orders.second, orders.person))
    person, second = orders.person[index], orders.second[index]
    is_next = np.concatenate([[False], person[1:] == person[:-1]])
    previous = np.where(is_next, np.roll(second, 1), 0)
    room = np.empty(len(index), np.int64)
    room[index] = np.clip(second - previous - 2 * LEAST_GAP, 0, LOOKBACK)
    return room


def _fills(journey: Ints, depth: Ints) -> Bools:
    """Say which visit of each journey is the first to reach the cart."""
    at_cart = np.flatnonzero(depth >= planted.CART)
    found = np.zeros(len(journey), np.bool_)
    found[at_cart[np.unique(journey[at_cart], return_index=True)[1]]] = True
    return found


def draw_recovery_visits(orders: Purchases, carts: Carts) -> Visits:
    """Return the visits with orders that close an abandoned cart."""
    order = np.flatnonzero(orders.cart >= 0)
    cart = orders.cart[order]
    count = len(order)
    by_mail = carts.is_reminded[cart] & ~carts.would_recover[cart]
    return Visits(
        person=orders.person[order],
        second=orders.second[order],
        channel=np.where(by_mail, planted.EMAIL, planted.DIRECT),
        depth=np.full(count, planted.ORDER),
        order=order,
        basket=order,
        fills=np.zeros(count, np.bool_),
        intent=np.full(count, PURCHASE),
        journey=np.full(count, -1),
    )


def draw_status_visits(world: World, people: People, orders: Purchases) -> Visits:
    """Draw visits of people who look where their order is."""
    rng = stream(world.config.seed, people.chunk, "status visits")
    share = 0.0 if world.config.is_plain else STATUS_SHARE
    looks = (orders.sales_channel == ONLINE) & (rng.random(len(orders)) < share)
    order = np.flatnonzero(looks)
    count = len(order)
    visits = Visits(
        person=orders.person[order],
        second=orders.second[order] + rng.integers(*STATUS_AFTER, count),
        channel=np.full(count, planted.DIRECT),
        depth=np.full(count, planted.BROWSE),
        order=np.full(count, -1),
        basket=np.full(count, -1),
        fills=np.zeros(count, np.bool_),
        intent=np.full(count, SUPPORT),
        journey=np.full(count, -1),
    )
    return visits.take(visits.second < world.seconds)
