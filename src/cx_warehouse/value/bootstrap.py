"""Bootstrap over persons whose weights follow from the persons alone.

Each replicate keeps a person twice or not at all, by one bit of a hash of the person: the
double-or-nothing bootstrap of Owen and Eckles (2012), Bootstrapping data arrays of arbitrary order,
Annals of Applied Statistics 6(3). Weights have mean 1 and variance 1, like those of a draw with
replacement, and do not depend on who else is there or in what order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from cx_warehouse.clv.likelihood import QUANTILE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    Floats = NDArray[np.float64]

BITS: Final = 64
REPLICATES: Final = 2 * BITS
# What differences of equal values leave by rounding is less.
NOTHING: Final = 1e-9
# Each part costs a table of sums, each person in it a row of weights.
PERSONS_AT_ONCE: Final = 2**15
# Of the generator splitmix64: Steele, Lea and Flood (2014), Fast splittable pseudorandom number
# generators, OOPSLA.
STEP: Final = np.uint64(0x9E3779B97F4A7C15)
MIXERS: Final = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))


def is_kept(keys: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Tell which replicates keep which persons.

    Parameters
    ----------
    keys
        Shape (n,): a hash of each person.

    Returns
    -------
    numpy.ndarray
        Shape (n, `REPLICATES`), 0 or 1: half of the weight, which cancels in ratios.
    """
    words = np.arange(REPLICATES // BITS, dtype=np.uint64)
    mixed: NDArray[np.uint64] = np.add.outer(keys * np.uint64(len(words)), words) * STEP
    for shift, factor in MIXERS:
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    in_bytes = mixed.astype("<u8").view(np.uint8)
    return np.unpackbits(in_bytes.reshape(len(keys), REPLICATES // 8), axis=1)


def resampled(table: csr_array, keys: NDArray[np.uint64]) -> Floats:
    """Sum the rows of persons, and sum them in each replicate.

    Parameters
    ----------
    table
        Shape (n, m): a person a row. Whole numbers below 2^53 in sum are added exactly, in
        whatever order.
    keys
        Shape (n,): a hash of each person.

    Returns
    -------
    numpy.ndarray
        Shape (m, 1 + `REPLICATES`): the sums of everybody, then those of who is kept.
    """
    sums = np.zeros((table.shape[1], 1 + REPLICATES))
    for start in range(0, len(keys), PERSONS_AT_ONCE):
        part = slice(start, start + PERSONS_AT_ONCE)
        kept = is_kept(keys[part])
        weights = np.ones((len(kept), 1 + REPLICATES))
        weights[:, 1:] = kept
        sums += table[part].T @ weights
    return sums


def interval(sums: Floats) -> tuple[Floats, Floats]:
    """Return the 95 % interval of each statistic: normal, with the replicates' deviation.

    Weights of 0 and 2 are symmetric, so that quantiles of the replicates would tell no more.

    Parameters
    ----------
    sums
        Shape (1 + r, ...): the statistic, then its replicates, NaN where one has nothing to tell.

    Returns
    -------
    tuple of numpy.ndarray
        Shape (...): the lower and the upper end; NaN where fewer than half of the replicates tell
        something, or all tell the same, since that is what a single person does.
    """
    value, replicates = sums[0], sums[1:]
    is_known = np.isfinite(replicates)
    count = is_known.sum(axis=0)
    squares = np.where(is_known, replicates - value, 0) ** 2
    half = QUANTILE * np.sqrt(squares.sum(axis=0) / np.maximum(count, 1))
    half = np.where((2 * count >= len(replicates)) & (half > NOTHING), half, np.nan)
    return value - half, value + half
