"""Journeys of persons through states: furthest stage so far, last step.

A journey is what a person did since the order before it, or since a silence. It ends with an order,
or is left when the silence is over; until then it is open. A state is the furthest stage that the
journey has reached and its last step; a step that leaves it as it is, is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

NO_STEP: Final = -1
END: Final = -1
LARGEST: Final = 2**62


@dataclass(frozen=True)
class Kinds:
    """The kinds of steps, in the order in which they count at the same moment.

    Attributes
    ----------
    names
        k names.
    levels
        Shape (k,): 1 for the earliest stage, 2 for the next …; 0 for a step beside all stages.
    """

    names: list[str]
    levels: Numbers

    @classmethod
    def of(cls, stage_numbers: dict[str, int]) -> Kinds:
        """Put steps in order.

        Parameters
        ----------
        stage_numbers
            By step; 0 and less is beside the stages.
        """
        names = sorted(stage_numbers, key=lambda name: (stage_numbers[name], name))
        stages = sorted({number for number in stage_numbers.values() if number > 0})
        places = [stages.index(stage_numbers[n]) + 1 if stage_numbers[n] > 0 else 0 for n in names]
        return cls(names, np.array(places, dtype=np.int64))

    @property
    def level_count(self) -> int:
        """One more than the highest level."""
        return int(self.levels.max(initial=0)) + 1

    @property
    def state_count(self) -> int:
        """One more than the highest number of a state."""
        return self.level_count * (len(self.names) + 1)

    def state(self, level: Numbers, step: Numbers) -> Numbers:
        """Return the number of the state at a level after a step, or after `NO_STEP`."""
        return level * (len(self.names) + 1) + step + 1

    def last_step(self, state: Numbers) -> Numbers:
        """Return the step that leads into a state, `NO_STEP` at the start."""
        return state % (len(self.names) + 1) - 1


@dataclass(frozen=True)
class Happenings:
    """Steps and orders by person; each column has shape (n,).

    Attributes
    ----------
    person
        Number of the person, which does not fall from row to row.
    at
        Microseconds since 1970.
    step
        Its number among `Kinds`, `NO_STEP` for an order.
    """

    person: Numbers
    at: Numbers
    step: Numbers


@dataclass(frozen=True)
class Moves:
    """Moves and ends of journeys that are over; each column has shape (m,).

    Attributes
    ----------
    row
        Of what happened: the step that is moved by, the order that is the end, or the last step
        of a journey that is left.
    first
        Row of the first step of the journey.
    origin, target
        States; the target of an end is `END`.
    is_order
        Whether it is an end by an order.
    """

    row: Numbers
    first: Numbers
    origin: Numbers
    target: Numbers
    is_order: Flags


def running_level(group: Numbers, level: Numbers) -> tuple[Numbers, Numbers]:
    """Return the highest level so far in a group.

    Parameters
    ----------
    group
        Shape (n,): number of the group, which does not fall from row to row.
    level
        Shape (n,), 0 or more.

    Returns
    -------
    tuple of numpy.ndarray
        Shape (n,): before each row, 0 at the first of its group, and with it.
    """
    base = group * (int(level.max(initial=0)) + 1)
    after = np.maximum.accumulate(base + level) - base
    before = np.zeros_like(after)
    before[1:] = np.where(group[1:] == group[:-1], after[:-1], 0)
    return before, after


def in_time(group: Numbers, at: Numbers, rank: Numbers) -> Numbers:
    """Return the rows by group, then time, then rank, then as they came.

    Parameters
    ----------
    group
        Shape (n,), 0 or more, which does not fall from row to row.
    at, rank
        Shape (n,). Times are microseconds since 1970, ranks small numbers of 0 or more. What is
        nearly in order takes little time.
    """
    rows = np.empty(len(group), dtype=np.int64)
    if not len(group):
        return rows
    moment = (at - at.min()) * (int(rank.max()) + 1) + rank
    span = int(moment.max()) + 1
    # as many groups at once as leave room for the moment in one number
    bounds = np.arange(0, int(group[-1]) + 1, max(1, LARGEST // span))
    starts = np.append(np.searchsorted(group, bounds), len(group))
    for start, end, first in zip(starts, starts[1:], bounds, strict=False):
        keys = (group[start:end] - first) * span + moment[start:end]
        rows[start:end] = start + np.argsort(keys, kind="stable")
    return rows


def moves_of(happened: Happenings, kinds: Kinds, silence: int, now: int) -> Moves:
    """Cut what persons did into journeys and tell the moves of those that are over.

    Parameters
    ----------
    happened
        At the same moment, an order comes after the steps; of the same kind what comes first.
    kinds
        Of the steps.
    silence
        Microseconds after which, when nothing more was done, a journey is over.
    now
        Microseconds since 1970: a journey without an order is open until the silence has passed.

    Returns
    -------
    Moves
        By journey. An order that no step came before since the last one, or within the silence,
        has no journey.
    """
    rank = np.where(happened.step == NO_STEP, len(kinds.names), happened.step)
    rows = in_time(happened.person, happened.at, rank)
    person, at, step = happened.person[rows], happened.at[rows], happened.step[rows]
    is_order = step == NO_STEP
    starts = np.ones(len(rows), dtype=np.bool_)
    starts[1:] = (person[1:] != person[:-1]) | is_order[:-1] | (np.diff(at) > silence)
    journey = np.cumsum(starts) - 1
    before, after = running_level(journey, np.append(kinds.levels, 0)[step])
    origin = kinds.state(before, np.where(starts, NO_STEP, np.roll(step, 1)))
    target = kinds.state(after, step)
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(rows))[: len(first)] - 1
    is_over = ~is_order[first] & (is_order[last] | (at[last] + silence <= now))
    moved = np.flatnonzero(~is_order & is_over[journey] & (origin != target))
    ended = last[is_over]
    places = np.concatenate([moved, ended])
    ends_in = np.where(is_order[ended], origin[ended], target[ended])
    return Moves(
        row=rows[places],
        first=rows[first[journey[places]]],
        origin=np.concatenate([origin[moved], ends_in]),
        target=np.concatenate([target[moved], np.full(len(ended), END)]),
        is_order=np.concatenate([np.zeros(len(moved), dtype=np.bool_), is_order[ended]]),
    )
