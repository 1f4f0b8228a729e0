"""Adjusted lift: orders after a step against those of sessions that might have taken it.

Sessions with a step are compared with sessions without it that had reached the stage from which it
was taken, within strata: the difference of proportions, weighted by the sessions with the step
(direct standardisation). The standard error sums over persons, since sessions of one person are
alike. It is association: who takes a step may have meant to buy before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from cx_warehouse.clv.likelihood import QUANTILE
from cx_warehouse.value.journeys import in_time, running_level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cx_warehouse.value.journeys import Kinds

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

NEVER: Final = np.iinfo(np.int64).min
# What differences of equal shares leave by rounding is less.
NOTHING: Final = 1e-12


@dataclass(frozen=True)
class Sessions:
    """Sessions by person; each column has shape (n,).

    Attributes
    ----------
    person
        Number of the person, from 0 on, which does not fall from row to row.
    cell
        Number of the smallest segment that the session is in.
    stratum
        Number of the stratum, which lies in one cell.
    last_order
        Microseconds since 1970 of the latest order in it, `NEVER` without one.
    """

    person: Numbers
    cell: Numbers
    stratum: Numbers
    last_order: Numbers


@dataclass(frozen=True)
class Steps:
    """The first step of each kind in each session; each column has shape (m,).

    Attributes
    ----------
    session
        Row of `Sessions`, which does not fall from row to row.
    at
        Microseconds since 1970.
    step
        Number of its kind.
    """

    session: Numbers
    at: Numbers
    step: Numbers

    def in_time(self) -> Steps:
        """Return the steps of each session in the order of time."""
        rows = in_time(self.session, self.at, self.step)
        return Steps(self.session, self.at[rows], self.step[rows])


class Counts(NamedTuple):
    """Sessions by kind of step and place: a stratum, and a level reached before the step.

    Attributes
    ----------
    with_count, with_orders
        Shape (k, c): sessions that took the step from there, and those with an order after it.
    without_count, without_orders
        Shape (k, c): sessions without the step that reached the level, and those with an order
        after that.
    """

    with_count: Floats
    with_orders: Floats
    without_count: Floats
    without_orders: Floats

    @property
    def is_matched(self) -> Flags:
        """Whether there are sessions of both sorts."""
        return (self.with_count > 0) & (self.without_count > 0)

    @property
    def with_rate(self) -> Floats:
        """Share of sessions with the step that were followed by an order, 0 without any."""
        return self.with_orders / np.maximum(self.with_count, 1)

    @property
    def without_rate(self) -> Floats:
        """The same of sessions without the step."""
        return self.without_orders / np.maximum(self.without_count, 1)

    def of_controls(self) -> Floats:
        """Return what a session without the step adds to the comparison of its person.

        Shape (k, 2 c): by place, without and with an order, -(n1 / n0) (y - p0).
        """
        controls = np.maximum(self.without_count, 1)
        ratio = np.where(self.is_matched, self.with_count / controls, 0)
        both = [ratio * self.without_rate, -ratio * (1 - self.without_rate)]
        return np.stack(both, axis=2).reshape(len(ratio), -1)


class Lift(NamedTuple):
    """Shape (k, v) each: by kind of step and segment; NaN where nothing can be compared.

    Attributes
    ----------
    difference, standard_error
        Of the shares of sessions with an order.
    matched_share
        Share of the sessions with the step that have others to be compared with.
    """

    difference: Floats
    standard_error: Floats
    matched_share: Floats

    @property
    def half_width(self) -> Floats:
        """Half of the 95 % interval; NaN where no sessions differ, which tells nothing."""
        return QUANTILE * np.where(self.standard_error > NOTHING, self.standard_error, np.nan)


@dataclass(frozen=True)
class Part:
    """Sessions of some persons, reduced to what a comparison needs; nobody is in two parts.

    A unit is a person in a cell. A history tells the stratum of a session, the highest level that
    it reached, and how many of the levels up to that, from 0 on, an order came after.

    Attributes
    ----------
    person, cell
        Shape (u,): of each unit, by person.
    unit, history
        Shape (n,): of each session.
    session, step, place, is_sold
        Shape (m,): of each step its session, its kind, where it was taken from (stratum x levels +
        level reached before), and whether an order came after it.
    """

    person: Numbers
    cell: Numbers
    unit: Numbers
    history: Numbers
    session: Numbers
    step: Numbers
    place: Numbers
    is_sold: Flags

    @classmethod
    def of(cls, sessions: Sessions, steps: Steps, kinds: Kinds) -> Part:
        """Reduce sessions.

        Parameters
        ----------
        sessions, steps
            The steps of a session in the order of time.
        kinds
            Of the steps.
        """
        levels = kinds.level_count
        before, after = running_level(steps.session, kinds.levels[steps.step])
        is_sold = sessions.last_order[steps.session] >= steps.at
        is_last = np.ones(len(steps.session), dtype=np.bool_)
        is_last[:-1] = steps.session[1:] != steps.session[:-1]
        reached = np.zeros(len(sessions.person), dtype=np.int64)
        reached[steps.session[is_last]] = after[is_last]
        # an order after a level came after the levels below, too
        followed = np.bincount(steps.session, (after - before) * is_sold, len(reached))
        followed = followed.astype(np.int64) + (sessions.last_order > NEVER)
        width = int(sessions.cell.max(initial=0)) + 1
        pairs, unit = np.unique(sessions.person * width + sessions.cell, return_inverse=True)
        return cls(
            person=(pairs // width).astype(np.int32),
            cell=(pairs % width).astype(np.int32),
            unit=unit.astype(np.int32),
            history=(sessions.stratum * levels + reached) * (levels + 1) + followed,
            session=steps.session.astype(np.int32),
            step=steps.step.astype(np.int16),
            place=(sessions.stratum[steps.session] * levels + before).astype(np.int32),
            is_sold=is_sold,
        )


class Comparison:
    """What sessions with and without each kind of step led to.

    Attributes
    ----------
    counts
        By kind of step and place; place = stratum x levels + level.
    """

    def __init__(self, parts: Sequence[Part], cell_of_stratum: Numbers, kinds: Kinds) -> None:
        """Count the sessions by what they had reached, and what came after.

        Parameters
        ----------
        parts
            All sessions.
        cell_of_stratum
            Shape (s,): the cell that each stratum lies in.
        kinds
            Of the steps.
        """
        self.parts, self.cell_of_stratum, self.kinds = parts, cell_of_stratum, kinds
        self.levels, self.steps = kinds.level_count, len(kinds.names)
        self.places = self.levels * len(cell_of_stratum)
        everybody = np.zeros(self.places * (self.levels + 1))
        for part in parts:
            everybody += np.bincount(part.history, minlength=len(everybody))
        seen = np.flatnonzero(everybody)
        self.number = np.zeros(len(everybody), dtype=np.int32)
        self.number[seen] = np.arange(len(seen))
        self.passed = self._passed(seen)
        self.counts = self._count(everybody[seen])

    def _passed(self, seen: Numbers) -> csr_array:
        """Return where histories passed: 2 x place, plus 1 if an order came after."""
        rest, followed = seen // (self.levels + 1), seen % (self.levels + 1)
        length = rest % self.levels + 1
        row = np.repeat(np.arange(len(seen)), length)
        level = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length)
        place = (rest // self.levels)[row] * self.levels + level
        columns = 2 * place + (level < followed[row])
        return csr_array((np.ones(len(row)), (row, columns)), shape=(len(seen), 2 * self.places))

    def _count(self, everybody: Floats) -> Counts:
        with_step = np.zeros(self.steps * 2 * self.places)
        own = np.zeros(self.steps * len(everybody))
        for part in self.parts:
            step = part.step.astype(np.int64)
            taken = (step * self.places + part.place) * 2 + part.is_sold
            with_step += np.bincount(taken, minlength=len(with_step))
            histories = step * len(everybody) + self.number[part.history][part.session]
            own += np.bincount(histories, minlength=len(own))
        without = (everybody - own.reshape(self.steps, -1)) @ self.passed
        both = [part.reshape(-1, self.places, 2) for part in (with_step, without)]
        return Counts(*(column for part in both for column in (part.sum(2), part[..., 1])))

    def _squares(self, segments: Sequence[Numbers]) -> list[Floats]:
        """Return the sums over persons of the squared sums of what their sessions add.

        One table of shape (k, v) for each way to put cells into v segments.
        """
        without = self.passed @ self.counts.of_controls().T
        squares = [np.zeros((self.steps, int(of.max(initial=0)) + 1)) for of in segments]
        for part in self.parts:
            added = self._added(part, without)
            for of_cell, sums in zip(segments, squares, strict=True):
                segment = of_cell[part.cell]
                for value in range(sums.shape[1]):
                    rows = np.flatnonzero(segment == value)
                    if not len(rows):
                        continue
                    person = part.person[rows]
                    starts = np.flatnonzero(np.append(True, person[1:] != person[:-1]))
                    each = np.add.reduceat(added[rows], starts)
                    sums[:, value] += (each**2).sum(axis=0)
        return squares

    def _added(self, part: Part, without: Floats) -> Floats:
        """Return what each unit adds to the comparisons, shape (u, k).

        `without`, shape (h, k), is what a session of each history adds without the step; with it, a
        session adds y - p1 instead.
        """
        counts, history = self.counts, self.number[part.history]
        ones = np.ones(len(history))
        shape = len(part.person), len(without)
        added: Floats = csr_array((ones, (part.unit, history)), shape=shape) @ without
        is_matched = counts.is_matched[part.step, part.place]
        share = counts.with_rate[part.step, part.place]
        with_step = np.where(is_matched, part.is_sold - share, 0)
        with_step -= without[history[part.session], part.step]
        place = part.unit[part.session].astype(np.int64) * self.steps + part.step
        added += np.bincount(place, with_step, added.size).reshape(added.shape)
        return added

    def lifts(self, segments: Sequence[Numbers]) -> list[Lift]:
        """Compare within each segment.

        Parameters
        ----------
        segments
            Ways to put cells into segments: for each cell its segment's number.

        Returns
        -------
        list of Lift
            For each way, difference = sum over places w (p1 - p0), w = n1 / sum of n1 over places
            with sessions of both sorts; standard_error^2 = sum over persons of (sum over places
            w (sum over sessions with the step (y - p1) / n1 - sum over those without
            (y - p0) / n0))^2.
        """
        counts = self.counts
        matched = np.where(counts.is_matched, counts.with_count, 0)
        lifts = []
        for of_cell, squares in zip(segments, self._squares(segments), strict=True):
            segment = np.repeat(of_cell[self.cell_of_stratum], self.levels)
            into = (segment[:, np.newaxis] == np.arange(squares.shape[1])).astype(np.float64)
            total = matched @ into
            known = np.where(total > 0, total, np.nan)
            summed = (matched * (counts.with_rate - counts.without_rate)) @ into
            everybody = counts.with_count @ into
            share = total / np.where(everybody > 0, everybody, np.nan)
            lifts.append(Lift(summed / known, np.sqrt(squares) / known, share))
        return lifts
