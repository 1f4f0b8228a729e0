"""Who orders when: a planted purchase process with effects on top.

A customer orders as a Poisson process in operational time, which runs faster on busy days, and
may drop out after each order. With all factors at 1 this is the MBG/NBD model exactly (or BG/NBD:
no dropout after the first order). Effects multiply the hazard of dropping out: p' = 1 - (1 - p)
** factor.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.arrays import DAY, HOUR, Bools, Floats, Ints
from cx_warehouse.simulate.randomness import from_table, stream

if TYPE_CHECKING:
    from cx_warehouse.simulate.people import People
    from cx_warehouse.simulate.world import World

ONLINE, STORE, IN_MARKETPLACE, PHONE_ORDER = range(4)
MOST_ORDERS: Final = 2_000
NO_PROMOTION: Final = -1
CONTROL, TREATMENT = 0, 1
NOT_EXPOSED: Final = -1
FACTOR_RANGE: Final = (0.3, 6.0)
PEAK_MONTH: Final = 12
MONTH_DAYS: Final = 30.44


@dataclass(frozen=True)
class Purchases:
    """Orders of a chunk, each array of shape (orders,).

    Attributes
    ----------
    ordinal
        0 for a customer's first order of the process.
    second
        When, in seconds since the start of the lake.
    promotion
        Number of the promotion whose code was used, or -1.
    is_caused
        Whether the promotion caused it: a Poisson process with its rate times f is the process
        without promotion plus one of f - 1 times that rate.
    satisfaction
        Latent, in points of 10.
    experiment, variant
        Of a first order placed while an experiment ran, or -1.
    cart
        Cart that was recovered by it, or -1.
    """

    person: Ints
    ordinal: Ints
    second: Ints
    sales_channel: Ints
    promotion: Ints
    is_caused: Bools
    is_late: Bools
    has_ticket: Bools
    is_slow_service: Bools
    satisfaction: Floats
    experiment: Ints
    variant: Ints
    cart: Ints

    def __len__(self) -> int:
        """Count the orders."""
        return len(self.person)

    def take(self, index: Ints | Bools) -> Purchases:
        """Pick orders."""
        return Purchases(*(getattr(self, field.name)[index] for field in fields(self)))


@dataclass(frozen=True)
class Lifetimes:
    """Fate of the customers: when they dropped out, in days; beyond the lake where they did not."""

    dropped_out: Floats
    hazard_factor: Floats


def draw_purchases(world: World, people: People) -> tuple[Purchases, Lifetimes]:
    """Draw all orders of the purchase process, round by round over the order's number."""
    rng = stream(world.config.seed, people.chunk, "purchases")
    person = np.arange(people.customers)
    clock = np.interp(people.first_moment, np.arange(len(world.clock)), world.clock)
    standing = np.ones(people.customers)
    dropped_out = np.full(people.customers, np.inf)
    rate = people.rate.copy()
    rounds = []
    for ordinal in range(MOST_ORDERS):
        moment = _moment_of(world, clock)
        orders = _draw_round(world, people, person, moment, ordinal, rng)
        rounds.append(orders)
        if ordinal == 0:
            standing *= _lasting_factor(world, orders)
            rate *= _rate_factor(world, people, orders)
        factor = _dropout_factor(world, people, orders) * standing[person]
        chance = 1 - (1 - people.dropout[person]) ** np.clip(factor, *FACTOR_RANGE)
        leaves = rng.random(len(person)) < chance
        if world.config.dropout_model == "bg" and ordinal == 0:
            leaves[:] = False
        dropped_out[person[leaves]] = moment[leaves]
        clock = clock + rng.standard_exponential(len(person)) / np.maximum(rate[person], 1e-9)
        goes_on = ~leaves & (clock < world.clock[-1])
        person, clock = person[goes_on], clock[goes_on]
        if not len(person):
            break
    drawn = [np.concatenate([getattr(o, f.name) for o in rounds]) for f in fields(Purchases)]
    return _in_order(world, Purchases(*drawn)), Lifetimes(dropped_out, standing)


def _moment_of(world: World, clock: Floats) -> Floats:
    """Turn operational time into days."""
    return np.interp(clock, world.clock, np.arange(len(world.clock)))


def _draw_round(  # noqa: PLR0913, PLR0917 - one round needs all of it
    world: World,
    people: People,
    person: Ints,
    moment: Floats,
    ordinal: int,
    rng: np.random.Generator,
) -> Purchases:
    count, plain = len(person), world.config.is_plain
    day = np.minimum(moment.astype(np.int64), world.config.days - 1)
    channel = _sales_channels(people.buyer[person], rng, is_plain=plain)
    promotion, is_caused = _promotions(world, day, channel, rng)
    promotion = np.where(
        (promotion < 0) & _says_thanks(world, channel, ordinal, rng),
        len(world.promotions) + 1,
        promotion,
    )
    month = day % 365 / MONTH_DAYS + world.config.start.month
    peak = np.where(month >= PEAK_MONTH, planted.LATE_PEAK_FACTOR, 1.0)
    is_late = (rng.random(count) < planted.LATE_SHARE * peak) & (channel != STORE)
    asks = rng.random(count) < np.array(planted.TICKET_SHARES)[is_late.astype(np.int64)]
    is_slow = asks & (rng.random(count) < planted.SLOW_SERVICE_SHARE)
    losses = planted.SATISFACTION_LOSSES
    caused = losses["late"] * is_late + losses["ticket"] * asks + losses["slow_service"] * is_slow
    noise = rng.standard_normal(count) * planted.SATISFACTION_SPREADS[1]
    experiment, variant = _exposures(world, day, channel, ordinal, rng)
    return Purchases(
        person=person,
        ordinal=np.full(count, ordinal),
        second=day * DAY
        + from_table(rng, world.hours, count) * HOUR
        + rng.integers(0, HOUR, count),
        sales_channel=channel,
        promotion=promotion,
        is_caused=is_caused,
        is_late=is_late,
        has_ticket=asks,
        is_slow_service=is_slow,
        satisfaction=planted.BASE_SATISFACTION + people.taste[person] - caused + noise,
        experiment=experiment,
        variant=variant,
        cart=np.full(count, -1),
    )


def _sales_channels(buyer: Ints, rng: np.random.Generator, *, is_plain: bool) -> Ints:
    count = len(buyer)
    in_store = np.array([0.0, planted.STORE_SHARE_OF_BOTH, 1.0, 0.0])[buyer]
    by_phone = rng.random(count) < (0.0 if is_plain else planted.PHONE_SHARE)
    channel = np.where(by_phone, PHONE_ORDER, ONLINE)
    channel = np.where(rng.random(count) < in_store, STORE, channel)
    return np.where(buyer == planted.MARKETPLACE, IN_MARKETPLACE, channel)


def _promotions(
    world: World, day: Ints, channel: Ints, rng: np.random.Generator
) -> tuple[Ints, Bools]:
    """Say which promotion an order used, and whether it would not be there without it."""
    running = world.promotion_of_day[day]
    factors = np.array([*(p.plan.order_factor for p in world.promotions), 1.0])
    factor = factors[running]
    is_caused = rng.random(len(day)) < (factor - 1) / np.maximum(factor, 1.0)
    uses_code = is_caused | (rng.random(len(day)) < planted.CODE_SHARE)
    is_open = (running >= 0) & ((channel == ONLINE) | (channel == STORE) | (channel == PHONE_ORDER))
    return np.where(is_open & uses_code, running, NO_PROMOTION), is_caused & (running >= 0)


def _says_thanks(world: World, channel: Ints, ordinal: int, rng: np.random.Generator) -> Bools:
    """Say which orders use the loyalty code."""
    drawn = rng.random(len(channel)) < planted.LOYALTY_SHARE
    is_open = ordinal >= planted.LOYALTY_FROM and not world.config.is_plain
    thanks: Bools = drawn & (channel == ONLINE) & is_open
    return thanks


def _exposures(
    world: World, day: Ints, channel: Ints, ordinal: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Draw the variants of those whose first order falls into an experiment.

    Given the order, treatment has probability s m / (s m + 1 - s), for share s and planted ratio m.
    """
    experiment = np.full(len(day), NOT_EXPOSED)
    chance = np.zeros(len(day))
    for plan in world.experiments if ordinal == 0 else ():
        inside = (day >= plan.plan.first_day) & (day < plan.end_day) & (channel == ONLINE)
        experiment = np.where(inside, plan.number, experiment)
        tilt = planted.TREATED_SHARE * plan.plan.conversion_factor
        chance = np.where(inside, tilt / (tilt + 1 - planted.TREATED_SHARE), chance)
    variant = np.where(rng.random(len(day)) < chance, TREATMENT, CONTROL)
    return experiment, np.where(experiment >= 0, variant, NOT_EXPOSED)


def _lasting_factor(world: World, first: Purchases) -> Floats:
    """Return what the first order does to the hazard for ever: its promotion and experiment."""
    promotions = np.array([*(p.plan.dropout_factor for p in world.promotions), 1.0])
    by_promotion = promotions[
        np.where(first.promotion < len(world.promotions), first.promotion, -1)
    ]
    experiments = np.array([*(e.plan.dropout_factor for e in world.experiments), 1.0])
    by_experiment = np.where(first.variant == TREATMENT, experiments[first.experiment], 1.0)
    return by_promotion * by_experiment


def _rate_factor(world: World, people: People, first: Purchases) -> Floats:
    """Return the factor on the order rate by the channel of the first order."""
    factors = np.array([channel.rate_factor for channel in planted.CHANNELS])[people.first_channel]
    has_effect = (first.sales_channel == ONLINE) & (not world.config.is_plain)
    return np.where(has_effect, factors, 1.0)


def _dropout_factor(world: World, people: People, orders: Purchases) -> Floats:
    """Return the factor on the hazard by what the customer went through with this order."""
    if world.config.is_plain:
        return np.ones(len(orders))
    own_base = planted.BASE_SATISFACTION + people.taste[orders.person]
    factor: Floats = planted.DROPOUT_PER_POINT ** (own_base - orders.satisfaction)
    return factor


def _in_order(world: World, orders: Purchases) -> Purchases:
    """Sort by person and number, and keep a customer's orders at least an hour apart."""
    index = np.lexsort((orders.ordinal, orders.person))
    sorted_orders = orders.take(index)
    ladder = sorted_orders.person * (2 * world.seconds + HOUR * MOST_ORDERS)
    step = sorted_orders.ordinal * HOUR
    second = np.maximum.accumulate(sorted_orders.second + ladder - step) - ladder + step
    changed = {f.name: getattr(sorted_orders, f.name) for f in fields(Purchases)} | {
        "second": second
    }
    return Purchases(**changed).take(second < world.seconds)


def recovered(people: People, cart: Ints, person: Ints, second: Ints) -> Purchases:
    """Return the orders that close abandoned carts; they stand outside the purchase process."""
    count = len(cart)
    no, none = np.zeros(count, np.bool_), np.full(count, -1)
    return Purchases(
        person=person,
        ordinal=none,
        second=second,
        sales_channel=np.zeros(count, np.int64),
        promotion=none,
        is_caused=no,
        is_late=no,
        has_ticket=no,
        is_slow_service=no,
        satisfaction=planted.BASE_SATISFACTION + people.taste[person],
        experiment=none,
        variant=none,
        cart=cart,
    )
