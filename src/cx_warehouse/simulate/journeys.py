"""The planted chain of channels, and journeys drawn from it.

A journey is a first-order Markov chain over channels that ends in an order or in nothing. Orders
are given by the purchase process, so journeys that end in one are drawn from the chain
conditioned on it, which is again a chain (Doob's transform): P'(i, j) = P(i, j) h(j) / h(i), with
h(i) the chance of an order from i, h = c + P h. Failed journeys use 1 - h. Mixed in the planted
proportion, both together are draws from the planted chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.arrays import Bools, Floats, Ints, ranks
from cx_warehouse.simulate.randomness import choose, choose_by_row

if TYPE_CHECKING:
    from cx_warehouse.simulate.config import Config

EVENTS_PER_ORDER_JOURNEY: Final = 17.5
EVENTS_PER_FAILED_JOURNEY: Final = 6.7
EVENTS_AFTER_ORDER: Final = 0.4
# Orders beyond the first by length of the lake, measured on this simulator.
MEASURED_DAYS: Final = (0, 30, 90, 180, 365, 730, 1460)
REPEATS: Final = (0.0, 0.10, 0.28, 0.49, 0.82, 1.17, 1.70)
PLAIN_REPEATS: Final = (0.0, 0.12, 0.31, 0.58, 0.98, 1.62, 2.42)
ONLINE_SHARE: Final = 0.73
LEAST_FAILED: Final = 0.02
STEPS: Final = 40
BISECTIONS: Final = 60


@dataclass(frozen=True)
class Chain:
    """The planted chain.

    Attributes
    ----------
    start
        Shape (channels,).
    moves
        Shape (channels, channels): chance that a visit by i is followed by one by j.
    conversion
        Shape (channels,): chance that a visit by i ends in an order.
    chance
        Shape (channels,): chance of an order at last, h.
    failed_per_order
        Failed journeys for each that ends in an order.
    """

    start: Floats
    moves: Floats
    conversion: Floats
    chance: Floats
    failed_per_order: float


@dataclass(frozen=True)
class Paths:
    """Visits of journeys, those of one journey in a row and in order."""

    journey: Ints
    channel: Ints
    is_last: Bools


def plan_chain(config: Config) -> Chain:
    """Scale the chances of an order so that journeys and orders meet the events asked for."""
    orders = online_orders(config)
    spare = config.events_per_customer - orders * EVENTS_PER_ORDER_JOURNEY
    failed = max(LEAST_FAILED, spare / EVENTS_PER_FAILED_JOURNEY / orders)
    share = 1 / (1 + failed)
    low, high = 0.0, (1 - planted.CONTINUE_SHARE) / max(c.conversion for c in planted.CHANNELS)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        start, chance = _chain(middle).start, _chain(middle).chance
        low, high = (middle, high) if float(start @ chance) < share else (low, middle)
    chain = _chain(low)
    reached = float(chain.start @ chain.chance)
    return Chain(chain.start, chain.moves, chain.conversion, chain.chance, (1 - reached) / reached)


def online_orders(config: Config) -> float:
    """Return about how many orders on the web a customer places; more in longer lakes."""
    repeats = PLAIN_REPEATS if config.is_plain else REPEATS
    share = 1.0 if config.is_plain else ONLINE_SHARE
    return share * (1 + float(np.interp(config.days, MEASURED_DAYS, repeats)))


def tracked_share(config: Config, chain: Chain) -> float:
    """Return the share of persons whose visits leave events.

    All of them, unless fewer events are asked for than orders and the least number of failed
    journeys bring along: then the others block every measurement.
    """
    journeys = EVENTS_PER_ORDER_JOURNEY + EVENTS_AFTER_ORDER
    journeys += chain.failed_per_order * EVENTS_PER_FAILED_JOURNEY
    return min(1.0, config.events_per_customer / (online_orders(config) * journeys))


def _chain(scale: float) -> Chain:
    channels = planted.CHANNELS
    start = np.array([channel.start for channel in channels])
    pull = np.array([channel.pull for channel in channels])
    conversion = scale * np.array([channel.conversion for channel in channels])
    same = planted.SAME_CHANNEL_SHARE
    moves = planted.CONTINUE_SHARE * (same * np.eye(len(channels)) + (1 - same) * pull / pull.sum())
    chance = np.linalg.solve(np.eye(len(channels)) - moves, conversion)
    return Chain(start / start.sum(), moves, conversion, chance, 0.0)


def draw_paths(rng: np.random.Generator, chain: Chain, count: int, *, is_converted: bool) -> Paths:
    """Draw journeys, conditioned on how they end.

    Parameters
    ----------
    rng
        Generator.
    chain
        The planted chain.
    count
        Number of journeys.
    is_converted
        Whether they end in an order.

    Returns
    -------
    Paths
        Sorted by journey, then step.
    """
    weight = chain.chance if is_converted else 1 - chain.chance
    given = chain.conversion if is_converted else 1 - chain.moves.sum(axis=1) - chain.conversion
    rows = np.concatenate([chain.moves * weight, given[:, None]], axis=1) / weight[:, None]
    last = len(weight)
    journey, channel = np.arange(count), choose(rng, chain.start * weight, count)
    visits = []
    for step in range(STEPS):
        following = choose_by_row(rng, rows, channel)
        is_last = np.asarray((following == last) | (step == STEPS - 1))
        visits.append((journey, channel, is_last))
        journey, channel = journey[~is_last], following[~is_last]
        if not len(journey):
            break
    journeys, channels, lasts = (np.concatenate(parts) for parts in zip(*visits, strict=True))
    order = np.argsort(journeys, kind="stable")
    return Paths(journeys[order], channels[order], lasts[order])


def visits_before(paths: Paths) -> Ints:
    """Return how many visits of its journey still follow each visit."""
    sizes = np.bincount(paths.journey, minlength=1)
    sizes = sizes[sizes > 0]
    return np.repeat(sizes, sizes) - ranks(sizes) - 1
