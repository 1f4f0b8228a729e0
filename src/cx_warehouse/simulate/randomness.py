"""Random draws that give the same bytes on every machine.

Streams are named by seed, chunk and purpose, so no draw depends on how often another part has
drawn, nor on how the work is spread. What ends in a file as it was drawn comes from tables of
whole numbers; results of `exp` and `log`, whose last bit differs between processors, are only
compared or rounded.
"""

from __future__ import annotations

import math
import zlib
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cx_warehouse.simulate.arrays import Bools, Floats, Ints

TABLE_SIZE: Final = 4096
GLOBAL_CHUNK: Final = 999_999
NEVER_CERTAIN: Final = 0.999


def stream(seed: int, chunk: int, purpose: str) -> np.random.Generator:
    """Return the generator of one purpose in one chunk."""
    words = [seed & 0xFFFFFFFF, seed >> 32, chunk, zlib.crc32(purpose.encode())]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def _middles() -> list[float]:
    return [(place + 0.5) / TABLE_SIZE for place in range(TABLE_SIZE)]


def exponential_table(mean: float, maximum: float) -> Ints:
    """Return quantiles of an exponential distribution as whole numbers, cut at a maximum."""
    drawn = [min(maximum, -mean * math.log1p(-share)) for share in _middles()]
    return np.array([round(value) for value in drawn], np.int64)


def lognormal_table(median: float, sigma: float, maximum: float) -> Ints:
    """Return quantiles of a log-normal distribution as whole numbers, cut at a maximum."""
    normal = NormalDist()
    drawn = [min(maximum, median * math.exp(sigma * normal.inv_cdf(u))) for u in _middles()]
    return np.array([round(value) for value in drawn], np.int64)


def weighted_table(weights: Sequence[float] | Floats, size: int = TABLE_SIZE) -> Ints:
    """Return indices in proportion to weights, for draws by a whole random number."""
    shares = np.cumsum(np.asarray(weights, np.float64))
    places = (np.arange(size) + 0.5) / size * shares[-1]
    found: Ints = np.searchsorted(shares, places).astype(np.int64)
    return found


def from_table(rng: np.random.Generator, table: Ints, count: int) -> Ints:
    """Draw `count` entries of a table."""
    return table[rng.integers(0, len(table), count)]


def choose(rng: np.random.Generator, weights: Sequence[float] | Floats, count: int) -> Ints:
    """Draw indices with the probabilities given (they need not add up to 1)."""
    shares = np.cumsum(np.asarray(weights, np.float64))
    found = np.searchsorted(shares, rng.random(count) * shares[-1], side="right")
    drawn: Ints = np.minimum(found, len(shares) - 1).astype(np.int64)
    return drawn


def choose_by_row(rng: np.random.Generator, matrix: Floats, rows: Ints) -> Ints:
    """Draw an index for each of `rows`, with the probabilities in that row of a matrix."""
    shares = np.cumsum(matrix, axis=1)
    limits = shares[rows]
    drawn = rng.random(len(rows)) * limits[:, -1]
    found = np.asarray(drawn[:, None] >= limits).sum(axis=1)
    last: Ints = np.minimum(found, matrix.shape[1] - 1).astype(np.int64)
    return last


def tilted(rng: np.random.Generator, outcome: Bools, rate: float, effect: float) -> Bools:
    """Draw a cause that multiplies the chance of an outcome which is already known.

    With share s of units treated and planted ratio m = P(outcome | cause) / P(outcome | none),
    Bayes' rule gives P(cause | outcome) = s m / (s m + 1 - s). Marginals stay as they are.

    Parameters
    ----------
    rng
        Generator.
    outcome
        Shape (n,); what the cause acts on.
    rate
        Share of units with the cause, s.
    effect
        Ratio m.

    Returns
    -------
    numpy.ndarray
        Shape (n,), whether the cause is there.
    """
    count = len(outcome)
    share = float(outcome.mean()) if count else 0.0
    if share in {0.0, 1.0}:
        return rng.random(count) < rate
    treated = min(NEVER_CERTAIN, effect * share / (rate * effect + 1 - rate))
    with_outcome = rate * treated / share
    without = rate * (1 - treated) / (1 - share)
    return rng.random(count) < np.where(outcome, with_outcome, without)
