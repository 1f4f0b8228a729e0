"""Turns visits into events with times and products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.arrays import DAY, Ints, ranks
from cx_warehouse.simulate.details import SLOT, SLOTS, Details
from cx_warehouse.simulate.randomness import exponential_table, from_table, stream

if TYPE_CHECKING:
    from cx_warehouse.simulate.baskets import Baskets
    from cx_warehouse.simulate.people import People
    from cx_warehouse.simulate.visits import Visits
    from cx_warehouse.simulate.world import World

PRODUCT_SLOTS: Final = (
    "product_view",
    "review_viewed",
    "size_guide_viewed",
    "wishlist_added",
    "add_to_cart",
    "rage_click",
    "dead_click",
)
GAPS: Final = exponential_table(26_000.0, 700_000.0)
SECOND_FIRE_GAP: Final = 900


@dataclass(frozen=True)
class EventRows:
    """Events of a chunk in time order, each array of shape (events,).

    Attributes
    ----------
    visit
        Number of the visit.
    slot
        Kind of event.
    rank
        Ordinal among the events of its kind in the visit.
    milli
        Milliseconds since the start of the lake.
    """

    visit: Ints
    slot: Ints
    rank: Ints
    milli: Ints

    def __len__(self) -> int:
        """Count the events."""
        return len(self.visit)


def lay_out(world: World, people: People, visits: Visits, details: Details) -> EventRows:
    """Turn counts of events into events with times; an order's purchase stands at its time."""
    rng = stream(world.config.seed, people.chunk, "event times")
    cells = details.counts.ravel()
    cell = np.repeat(np.arange(len(cells)), cells)
    visit, slot = np.divmod(cell, len(SLOTS))
    rank = ranks(cells)
    gap = from_table(rng, GAPS, len(cell))
    gap = np.where((slot == SLOT["purchase"]) & (rank > 0), SECOND_FIRE_GAP, gap)
    gap[slot == SLOT["landing"]] = 0
    ladder = np.cumsum(gap)
    anchors = np.flatnonzero((slot == SLOT["landing"]) & (rank == 0))
    origin = ladder[anchors]
    bought = np.flatnonzero((slot == SLOT["purchase"]) & (rank == 0))
    origin[visit[bought]] = ladder[bought]
    milli = visits.second[visit] * 1000 + ladder - origin[visit]
    index = np.argsort(milli, kind="stable")
    index = index[milli[index] < world.seconds * 1000]
    return EventRows(visit[index], slot[index], rank[index], milli[index])


def products_of(
    world: World, people: People, visits: Visits, rows: EventRows, baskets: Baskets
) -> tuple[Ints, Ints, Ints]:
    """Return product (-1: none), quantity (0: none) and value in cents (-1: none) of each event."""
    rng = stream(world.config.seed, people.chunk, "event products")
    basket = visits.basket[rows.visit]
    size = np.append(baskets.size, 0)[basket]
    fills = visits.fills[rows.visit] & (rows.rank < size)
    line = np.where(fills, np.append(baskets.first, 0)[basket] + rows.rank, 0)
    popular = world.catalogue.popular(rng, len(rows))
    extra = world.catalogue.popular(rng, max(1, len(visits)))[rows.visit]
    is_cart = (rows.slot == SLOT["add_to_cart"]) | (rows.slot == SLOT["remove_from_cart"])
    of_line = fills & (rows.slot != SLOT["remove_from_cart"])
    lines = np.append(baskets.product, 0)
    product = np.where(of_line, lines[line], np.where(is_cart, extra, popular))
    has_product = np.isin(rows.slot, [SLOT[name] for name in (*PRODUCT_SLOTS, "remove_from_cart")])
    quantity = np.where(of_line, np.append(baskets.quantity, 1)[line], 1) * is_cart
    price = world.catalogue.prices[product]
    price = np.where(of_line & is_cart, np.append(baskets.unit_price, 0)[line], price)
    is_valued = is_cart | (rows.slot == SLOT["product_view"])
    value = np.where(is_valued, price * np.maximum(quantity, 1), -1)
    return np.where(has_product, product, -1), quantity, value


def paid_clicks(world: World, visits: Visits, details: Details) -> Ints:
    """Count landings of each touch on each day: shape (days, touches)."""
    shape = (world.config.days, len(planted.TOUCHES))
    day = np.clip(visits.second // DAY, 0, world.config.days - 1)
    is_planted = details.touch < len(planted.TOUCHES)
    cell = day[is_planted] * shape[1] + details.touch[is_planted]
    return np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)
