"""Values of micro-conversions in the chain of states, by segment, with bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from cx_warehouse.value.bootstrap import REPLICATES, interval, resampled
from cx_warehouse.value.chain import expected_rewards, gains_by_step
from cx_warehouse.value.journeys import END

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cx_warehouse.value.journeys import Kinds, Moves

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.int64]

# Amounts are summed in whole cents, so that no order of rows shows in a sum.
CENTS: Final = 100
# Distinct numbers are found in a table of up to so many entries, and so many more for each number.
ROOM: Final = 2**20
SPREAD: Final = 8


class StepValues(NamedTuple):
    """By kind of step and kind of reward, shape (k, r) each; NaN where there is none.

    Attributes
    ----------
    value, low, high
        Mean of V(after) - V(before) over all times the step was taken, and its 95 % interval.
    """

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Journeys:
    """Moves with what they need to be valued; the columns have shape (m,).

    Attributes
    ----------
    moves
        Of journeys that are over.
    person
        Number of the person.
    cell
        Number of the smallest segment that the journey is in.
    rewards
        Shape (m, r): what an end by an order brings, in units of money, NaN where nobody knows;
        of other rows it does not matter.
    sales
        Net sales of the order that is the end, 0 in other rows.
    """

    moves: Moves
    person: Numbers
    cell: Numbers
    rewards: Floats
    sales: Floats


class Tally(NamedTuple):
    """Sums by code in all replicates: moves and ends, then by kind of reward orders and cents.

    Attributes
    ----------
    codes
        What is summed, by the numbers of cells and states.
    sums
        Shape (c, 1 + replicates).
    """

    codes: Numbers
    sums: Floats


def tallies_of(journeys: Journeys, keys: NDArray[np.uint64], kinds: Kinds) -> list[Tally]:
    """Count moves and rewards of each cell, in all replicates.

    Parameters
    ----------
    journeys
        Of persons 0 to n - 1.
    keys
        Shape (n,): a hash of each person.
    kinds
        Of steps.

    Returns
    -------
    list of Tally
        Those of different persons add up.
    """
    moves, size = journeys.moves, kinds.state_count
    # all that is no end by an order: moves, and being left
    target = np.where(moves.target == END, size, moves.target)
    target[moves.is_order] = size + 1
    codes = (journeys.cell * size + moves.origin) * (size + 2) + target
    columns = [(codes, np.ones(len(codes)), np.arange(len(codes)))]
    ends = np.flatnonzero(moves.is_order)
    exits = journeys.cell[ends] * size + moves.origin[ends]
    for rewards in journeys.rewards[ends].T:
        known = np.flatnonzero(~np.isnan(rewards))
        cents = np.rint(rewards[known] * CENTS)
        columns.append((exits[known], np.ones(len(known)), ends[known]))
        columns.append((exits[known], cents, ends[known]))
    found = [distinct(codes) for codes, _, _ in columns]
    offsets = np.cumsum([0, *(len(codes) for codes, _ in found)])
    place = np.concatenate(
        [inverse + start for (_, inverse), start in zip(found, offsets, strict=False)]
    )
    amounts = np.concatenate([amount for _, amount, _ in columns])
    persons = journeys.person[np.concatenate([rows for _, _, rows in columns])]
    table = csr_array((amounts, (persons, place)), shape=(len(keys), offsets[-1]))
    sums = np.split(resampled(table, keys), offsets[1:-1])
    return [Tally(codes, part) for (codes, _), part in zip(found, sums, strict=True)]


def added_up(tallies: Sequence[Tally]) -> Tally:
    """Add tallies of the same sort."""
    codes, places = distinct(np.concatenate([tally.codes for tally in tallies]))
    sums = np.zeros((len(codes), 1 + REPLICATES))
    for tally, place in zip(
        tallies, np.split(places, np.cumsum([len(t.codes) for t in tallies])[:-1]), strict=True
    ):
        sums[place] += tally.sums
    return Tally(codes, sums)


class Chain:
    """Counted moves and rewards of each cell, in all replicates."""

    def __init__(self, parts: Sequence[Sequence[Tally]], kinds: Kinds) -> None:
        """Add up what was counted, once for all segments.

        Parameters
        ----------
        parts
            What `tallies_of` tells of one group of persons or more.
        kinds
            Of steps.
        """
        self.kinds, full = kinds, kinds.state_count
        moved, *exits = (added_up(tallies) for tallies in zip(*parts, strict=True))
        pair, target = np.divmod(moved.codes, full + 2)
        cell, origin = np.divmod(pair, full)
        self.states, _ = distinct(np.concatenate([origin, target[target < full]]))
        # states that nobody was in are left out
        size = len(self.states)
        number = np.zeros(full + 2, dtype=np.int64)
        number[self.states] = np.arange(size)
        number[full:] = size, size + 1
        codes = (cell * size + number[origin]) * (size + 2) + number[target]
        self.parts = [Tally(codes, moved.sums)]
        for codes, sums in exits:
            cell, origin = np.divmod(codes, full)
            self.parts.append(Tally(cell * size + number[origin], sums))

    def values(self, is_in: NDArray[np.bool_]) -> StepValues:
        """Value the steps of some cells.

        Parameters
        ----------
        is_in
            Shape (cells,): which of them.
        """
        size, count = len(self.states), len(self.kinds.names)
        codes, sums = self.parts[0]
        width = size * (size + 2)
        counted = _into(codes % width, sums, is_in[codes // width], width)
        counted = counted.reshape(-1, size, size + 2)
        moves, ordered = counted[..., :size], counted[..., size + 1]
        exits = [
            _into(codes % size, sums, is_in[codes // size], size) for codes, sums in self.parts[1:]
        ]
        rewards = np.stack(
            [
                np.where(ordered > 0, ordered * _means(amounts, known), 0)
                for known, amounts in zip(exits[::2], exits[1::2], strict=True)
            ],
            axis=-1,
        )
        values = expected_rewards(moves, counted[..., size:].sum(axis=-1), rewards)
        steps = self.kinds.last_step(self.states)
        gains = gains_by_step(moves, values, steps, count) / CENTS
        low, high = interval(gains)
        return StepValues(gains[0], low, high)


def distinct(numbers: Numbers) -> tuple[Numbers, Numbers]:
    """Return the sorted distinct numbers, of 0 or more, and each one's place."""
    largest = int(numbers.max(initial=-1))
    # a table of them all is quicker where they are not far apart
    if largest > ROOM + SPREAD * len(numbers):
        found, places = np.unique(numbers, return_inverse=True)
        return found, places
    is_seen = np.zeros(largest + 1, dtype=np.bool_)
    is_seen[numbers] = True
    return np.flatnonzero(is_seen), (np.cumsum(is_seen) - 1)[numbers]


def _into(places: Numbers, sums: Floats, is_in: NDArray[np.bool_], count: int) -> Floats:
    """Add rows of sums up by place, shape (replicates, count)."""
    rows = np.flatnonzero(is_in)
    shape = count, len(rows)
    added = csr_array((np.ones(len(rows)), (places[rows], np.arange(len(rows)))), shape=shape)
    result: Floats = (added @ sums[rows]).T
    return result


def _means(amounts: Floats, known: Floats) -> Floats:
    """Return the mean amount of each column, that of all columns where nothing is known of one."""
    totals = known.sum(axis=1, keepdims=True)
    overall = amounts.sum(axis=1, keepdims=True) / np.where(totals > 0, totals, np.nan)
    return np.where(known > 0, amounts / np.where(known > 0, known, 1), overall)
