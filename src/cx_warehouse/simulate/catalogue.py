"""Products with log-normal prices and long-tailed popularity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cx_warehouse.simulate import planted
from cx_warehouse.simulate.randomness import GLOBAL_CHUNK, from_table, lognormal_table, stream
from cx_warehouse.simulate.randomness import weighted_table as table_of

if TYPE_CHECKING:
    from cx_warehouse.simulate.arrays import Floats, Ints
    from cx_warehouse.simulate.config import Config

PRODUCTS: Final = (240, 20_000)
CUSTOMERS_PER_PRODUCT: Final = 20
TIER_SIZE: Final = 24
MEDIAN_CENTS: Final = 1_700.0
PRICE_SIGMA: Final = 0.8
MAXIMUM_CENTS: Final = 45_000.0
POPULARITY_POWER: Final = 1.1
COST_PERCENT: Final = (35, 66)


@dataclass(frozen=True)
class Catalogue:
    """Products by number, dearer ones later; within a tier of like prices the first sells most.

    Attributes
    ----------
    prices
        List prices in cents, tax in, ascending.
    cost_percents
        Unit cost as a percentage of the price without tax.
    quality
        Points on the mean rating.
    """

    prices: Ints
    cost_percents: Ints
    categories: Ints
    quality: Floats
    rank_in_tier: Ints
    popularity: Ints

    def near_price(self, rng: np.random.Generator, cents: Floats) -> Ints:
        """Draw a product for each amount, of about that price, popular ones more often.

        Parameters
        ----------
        rng
            Generator.
        cents
            Shape (n,), what the buyer means to pay for a unit.
        """
        tier = np.searchsorted(self.prices[TIER_SIZE // 2 :: TIER_SIZE], cents)
        tier = np.minimum(tier, len(self.prices) // TIER_SIZE - 1)
        return tier * TIER_SIZE + from_table(rng, self.rank_in_tier, len(cents))

    def popular(self, rng: np.random.Generator, count: int) -> Ints:
        """Draw products as visitors look at them."""
        return from_table(rng, self.popularity, count)


def make_catalogue(config: Config) -> Catalogue:
    """Draw a catalogue whose size grows with the shop."""
    rng = stream(config.seed, GLOBAL_CHUNK, "catalogue")
    low, high = PRODUCTS
    wanted = min(high, max(low, config.customers // CUSTOMERS_PER_PRODUCT))
    count = wanted // TIER_SIZE * TIER_SIZE
    prices = np.sort(
        from_table(rng, lognormal_table(MEDIAN_CENTS, PRICE_SIGMA, MAXIMUM_CENTS), count)
    )
    rank = np.arange(count) % TIER_SIZE
    size = max(4096, count * 16)
    return Catalogue(
        prices=np.maximum(prices // 10 * 10 - 1, 99),
        cost_percents=rng.integers(*COST_PERCENT, count),
        categories=rng.integers(0, len(planted.CATEGORIES), count),
        quality=rng.integers(-8, 7, count) / 10,
        rank_in_tier=table_of(1 / (np.arange(TIER_SIZE) + 1) ** POPULARITY_POWER),
        popularity=table_of(1 / (rank + 1) ** POPULARITY_POWER, size),
    )
