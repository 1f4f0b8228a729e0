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
from scipy.stats import norm

from cx_warehouse.value.journeys import in_time, running_level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cx_warehouse.value.journeys import Kinds

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

NEVER: Final = np.iinfo(np.int64).min
NOT_REACHED: Final = np.iinfo(np.int64).max
QUANTILE: Final = float(norm.ppf(0.975))
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


class Comparison:
    """What sessions with and without each kind of step led to.

    Attributes
    ----------
    counts
        By kind of step and place; place = stratum x levels + level.
    """

    def __init__(self, sessions: Sessions, steps: Steps, kinds: Kinds) -> None:
        """Count the sessions by what they had reached, and what came after.

        Parameters
        ----------
        sessions, steps
            The steps of a session in the order of time.
        kinds
            Of the steps.
        """
        self.sessions, self.steps, self.kinds = sessions, steps, kinds
        self.levels = kinds.level_count
        self.places = self.levels * (int(sessions.stratum.max(initial=-1)) + 1)
        before, after = running_level(steps.session, kinds.levels[steps.step])
        self.reached_at = self._times_of_levels(before, after)
        self.is_sold = sessions.last_order[steps.session] >= steps.at
        self.from_place = self._place(steps.session, before)
        self.reached = list(self._reached(steps.session))
        self.counts = self._count()

    def _times_of_levels(self, before: Numbers, after: Numbers) -> Numbers:
        """Return when each session reached each level, shape (levels, n); level 0 at once."""
        times = np.full((self.levels, len(self.sessions.person)), NOT_REACHED)
        times[0] = NEVER + 1
        for level in range(1, self.levels):
            rows = np.flatnonzero((before < level) & (level <= after))
            times[level, self.steps.session[rows]] = self.steps.at[rows]
        return times

    def _place(self, session: Numbers, level: Numbers | int) -> Numbers:
        return self.sessions.stratum[session] * self.levels + level

    def _reached(self, session: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
        """Yield, level by level, the rows that reached it, and 2 x place, plus 1 if sold after."""
        rows = np.arange(len(session))
        for level in range(self.levels):
            times = self.reached_at[level, session[rows]]
            is_reached = times != NOT_REACHED
            rows, times = rows[is_reached], times[is_reached]
            found = session[rows]
            is_sold = self.sessions.last_order[found] >= times
            yield rows, 2 * self._place(found, level) + is_sold

    def _count(self) -> Counts:
        width = 2 * self.places
        size = len(self.kinds.names) * width
        step = self.steps.step
        with_step = np.bincount(step * width + 2 * self.from_place + self.is_sold, minlength=size)
        without = np.zeros((len(self.kinds.names), width))
        for _, places in self._reached(np.arange(len(self.sessions.person))):
            without += np.bincount(places, minlength=width)
        for rows, places in self.reached:
            own = np.bincount(step[rows] * width + places, minlength=size)
            without -= own.reshape(without.shape)
        both = [part.reshape(-1, self.places, 2) for part in (with_step, without)]
        return Counts(
            *(column.astype(np.float64) for part in both for column in (part.sum(2), part[..., 1]))
        )

    def _of_steps(self, controls: Floats) -> Floats:
        """Return what each step adds: y - p1, less what its session would add without it."""
        step, counts = self.steps.step, self.counts
        share = counts.with_rate[step, self.from_place]
        is_matched = counts.is_matched[step, self.from_place]
        added: Floats = np.where(is_matched, self.is_sold - share, 0)
        for rows, places in self.reached:
            added[rows] -= controls[step[rows], places]
        return added

    def _units(self) -> tuple[Numbers, Numbers, Numbers]:
        """Return person and cell of each pair that has sessions, and each session's pair."""
        width = int(self.sessions.cell.max(initial=0)) + 1
        pairs, unit = np.unique(
            self.sessions.person * width + self.sessions.cell, return_inverse=True
        )
        return pairs // width, pairs % width, unit

    def _squares(self, segments: Sequence[Numbers]) -> list[Floats]:
        """Return the sums over persons of the squared sums of what their sessions add.

        One table of shape (k, v) for each way to put cells into v segments.
        """
        person, cell, unit = self._units()
        everybody = list(self._reached(np.arange(len(unit))))
        rows, places = (np.concatenate(parts) for parts in zip(*everybody, strict=True))
        shape = len(person), 2 * self.places
        table = csr_array((np.ones(len(rows)), (unit[rows], places)), shape=shape)
        controls = self.counts.of_controls()
        of_steps = self._of_steps(controls)
        by_kind = np.argsort(self.steps.step.astype(np.uint16), kind="stable")
        ends = np.cumsum(np.bincount(self.steps.step, minlength=len(controls)))
        sums = [np.zeros((len(controls), int(of.max(initial=0)) + 1)) for of in segments]
        for kind, own in enumerate(np.split(by_kind, ends[:-1])):
            added = table @ controls[kind]
            added += np.bincount(unit[self.steps.session[own]], of_steps[own], len(person))
            for of_cell, squares in zip(segments, sums, strict=True):
                width = squares.shape[1]
                each = np.bincount(person * width + of_cell[cell], added, width * (person[-1] + 1))
                squares[kind] = [each[v::width] @ each[v::width] for v in range(width)]
        return sums

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
        cell_of_stratum = np.zeros(self.places // self.levels, dtype=np.int64)
        cell_of_stratum[self.sessions.stratum] = self.sessions.cell
        matched = np.where(counts.is_matched, counts.with_count, 0)
        lifts = []
        for of_cell, squares in zip(segments, self._squares(segments), strict=True):
            segment = np.repeat(of_cell[cell_of_stratum], self.levels)
            into = (segment[:, np.newaxis] == np.arange(squares.shape[1])).astype(np.float64)
            total = matched @ into
            known = np.where(total > 0, total, np.nan)
            summed = (matched * (counts.with_rate - counts.without_rate)) @ into
            everybody = counts.with_count @ into
            share = total / np.where(everybody > 0, everybody, np.nan)
            lifts.append(Lift(summed / known, np.sqrt(squares) / known, share))
        return lifts
