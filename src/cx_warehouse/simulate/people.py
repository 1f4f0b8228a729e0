"""Persons of a chunk: what they are like, their accounts, addresses and devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.arrays import CHUNK_STEP, DAY, NEVER, Bools, Floats, Ints
from cx_warehouse.simulate.journeys import Paths, draw_paths, online_orders, tracked_share
from cx_warehouse.simulate.randomness import choose, stream

if TYPE_CHECKING:
    from cx_warehouse.simulate.world import World

PHONE, DESKTOP, TABLET, NEXT_PHONE = range(4)
DEVICES_OF_A_PERSON: Final = 4
DEVICE_TYPES: Final = ("mobile", "desktop", "tablet", "mobile")
DEVICE_SHARES: Final = (0.56, 0.34, 0.10)
DESKTOP_SHARE: Final = 0.6
TABLET_SHARE: Final = 0.15
NEXT_PHONE_SHARE: Final = 0.25
FAILED_OF_CUSTOMERS: Final = 0.25
JOURNEYS_OF_A_VISITOR: Final = 1.3
VISITOR_ACCOUNT_SHARE: Final = 0.04
LATER_ACCOUNT_DAYS: Final = 40.0
NO_DEVICE: Final = -1


@dataclass(frozen=True)
class People:
    """Persons of a chunk, customers first, then visitors who never order.

    Attributes
    ----------
    first_moment
        Shape (customers,): day and fraction of the first order.
    rate, dropout
        Shape (customers,): orders per day of operational time while alive; chance to drop out
        after an order, effects aside.
    spend_rate
        Shape (customers,): rate of the gamma of an order's net sales.
    account_kind
        Shape (customers,): 0 account at the first order, 1 guest, 2 guest who registers later.
    first_paths
        Journeys that end in the first orders; its journey is the customer.
    device
        Shape (persons, 4): number of phone, desktop, tablet and next phone; -1 where there is none.
    switch_day
        Shape (persons,): from when the next phone is used.
    """

    chunk: int
    customers: int
    segment: Ints
    buyer: Ints
    country: Ints
    taste: Floats
    first_moment: Floats
    rate: Floats
    dropout: Floats
    spend_rate: Floats
    account_kind: Ints
    first_paths: Paths
    has_consent: Bools
    is_tracked: Bools
    is_subscriber: Bools
    changes_email: Bools
    has_second_account: Bools
    device: Ints
    switch_day: Ints

    @property
    def count(self) -> int:
        """Customers and visitors."""
        return len(self.country)

    @property
    def first_number(self) -> int:
        """Number of the first person; those of a chunk follow one another."""
        return self.chunk * CHUNK_STEP

    @property
    def first_channel(self) -> Ints:
        """Shape (customers,): channel of the visit of the first order."""
        found = np.zeros(self.customers, np.int64)
        found[self.first_paths.journey[self.first_paths.is_last]] = self.first_paths.channel[
            self.first_paths.is_last
        ]
        return found


def draw_people(world: World, chunk: int, customers: int) -> People:
    """Draw the persons of a chunk."""
    rng = stream(world.config.seed, chunk, "people")
    plain = world.config.is_plain
    failed = customers * world.chain.failed_per_order * online_orders(world.config)
    share = 1.0 if plain else 1 - FAILED_OF_CUSTOMERS
    mean = 1.0 if plain else JOURNEYS_OF_A_VISITOR
    visitors = max(1, round(failed * share / mean))
    count = customers + visitors
    segment = choose(rng, [kind.share for kind in world.segments], customers)
    paths = draw_paths(rng, world.chain, customers, is_converted=True)
    rate, dropout, spend_rate = _parameters(world, segment, rng)
    devices, switch = _devices(world, count, rng)
    return People(
        chunk=chunk,
        customers=customers,
        segment=segment,
        buyer=choose(rng, (1.0, 0, 0, 0) if plain else planted.BUYER_SHARES, customers),
        country=choose(rng, planted.COUNTRY_SHARES, count),
        taste=rng.standard_normal(customers) * planted.SATISFACTION_SPREADS[0],
        first_moment=_first_moments(world, customers, rng),
        rate=rate,
        dropout=dropout,
        spend_rate=spend_rate,
        account_kind=choose(rng, (1.0, 0, 0) if plain else planted.ACCOUNT_SHARES, customers),
        first_paths=paths,
        has_consent=rng.random(count) < (1.0 if plain else planted.CONSENT_SHARE),
        is_tracked=rng.random(count) < tracked_share(world.config, world.chain),
        is_subscriber=(rng.random(count) < planted.SUBSCRIBER_SHARE),
        changes_email=rng.random(customers) < (0.0 if plain else planted.EMAIL_CHANGE_SHARE),
        has_second_account=rng.random(customers) < (0.0 if plain else planted.SECOND_ACCOUNT_SHARE),
        device=devices,
        switch_day=switch,
    )


def _parameters(world: World, segment: Ints, rng: np.random.Generator) -> tuple[Floats, ...]:
    r, alpha, a, b, q, v = (
        np.array([getattr(kind, name) for kind in world.segments])[segment]
        for name in ("r", "alpha", "a", "b", "q", "v")
    )
    return rng.gamma(r) / alpha, rng.beta(a, b), rng.gamma(q) / v


def _first_moments(world: World, customers: int, rng: np.random.Generator) -> Floats:
    """Draw the day of the first order by traffic, any time within it."""
    return choose(rng, world.traffic, customers) + rng.random(customers)


def _devices(world: World, count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Give each person devices; some tablets belong to two persons."""
    has = rng.random((count, DEVICES_OF_A_PERSON)) < (
        1.0,
        DESKTOP_SHARE,
        TABLET_SHARE,
        NEXT_PHONE_SHARE,
    )
    if world.config.is_plain:
        has[:, 1:] = False
    numbers = np.where(has, np.cumsum(has.ravel()).reshape(has.shape) - 1, NO_DEVICE)
    is_pair = rng.random(count) < planted.SHARED_TABLET_SHARE
    first = np.flatnonzero(is_pair & (np.arange(count) % 2 == 0) & (np.arange(count) < count - 1))
    shared = first[numbers[first, TABLET] >= 0]
    numbers[shared + 1, TABLET] = numbers[shared, TABLET]
    return numbers.astype(np.int64), rng.integers(0, world.config.days + 1, count)


@dataclass(frozen=True)
class Accounts:
    """Accounts of all persons; times in seconds, `NEVER` where there is none.

    Attributes
    ----------
    created
        Shape (persons,): of the first account.
    second
        Shape (persons,): of a second account under the same address.
    email_changed
        Shape (persons,): when the account's address became another one.
    """

    created: Ints
    second: Ints
    email_changed: Ints


def draw_accounts(world: World, people: People, first_order: Ints) -> Accounts:
    """Draw when accounts are opened.

    Parameters
    ----------
    world, people
        The shop and its persons.
    first_order
        Shape (customers,): second of the first order.
    """
    rng = stream(world.config.seed, people.chunk, "accounts")
    count, customers = people.count, people.customers
    later = (
        first_order
        + DAY // 24
        + (rng.standard_exponential(customers) * LATER_ACCOUNT_DAYS * DAY).astype(np.int64)
    )
    created = np.full(count, NEVER, np.int64)
    at_order = first_order - rng.integers(60, 240, customers)
    created[:customers] = np.choose(
        people.account_kind, [at_order, np.full(customers, NEVER), later]
    )
    created[:customers][people.buyer == planted.MARKETPLACE] = NEVER
    is_visitor = np.arange(count) >= customers
    registers = (
        is_visitor & (rng.random(count) < VISITOR_ACCOUNT_SHARE) & (not world.config.is_plain)
    )
    created[registers] = rng.integers(0, world.seconds, int(registers.sum()))
    created = np.where(created < world.seconds, created, NEVER)
    changes = np.zeros(count, np.bool_)
    changes[:customers] = people.changes_email
    second = np.zeros(count, np.bool_)
    second[:customers] = people.has_second_account
    return Accounts(
        created,
        _some_time_after(created, second, world.seconds, rng),
        _some_time_after(created, changes, world.seconds, rng),
    )


def _some_time_after(created: Ints, happens: Bools, end: int, rng: np.random.Generator) -> Ints:
    """Draw a time between the opening of an account, a day at least, and the end."""
    room = end - created - DAY
    happens = happens & (created >= 0) & (room > DAY)
    later = created + DAY + (rng.random(len(created)) * np.where(happens, room, 0)).astype(np.int64)
    return np.where(happens, later, NEVER)
