"""Entries of funnels: what persons did, walked through in the order of time.

An entry opens with a first step while none is open. It takes the step that is next by the first
event of that step within the step's window, an event taking one step at most, and is over when a
window has run out or the last step is taken. So the entry that a first step would open tells all
its steps and its end without those before it, and which first steps open one follows from where the
entries before them end: work grows with the events, however many one person has.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cx_warehouse.streams import by_person, numbers_of, run_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

HOUR: Final = 3_600_000_000
MOST_STEPS: Final = 8
NONE: Final = -1
COLUMNS: Final = pa.schema(
    [
        ("funnel_name", pa.string()),
        ("person_id", pa.string()),
        *((f"step_{step}_at", pa.timestamp("us")) for step in range(1, MOST_STEPS + 1)),
        ("furthest_step", pa.int32()),
        *((f"next_{step}_at", pa.timestamp("us")) for step in range(2, MOST_STEPS + 1)),
        ("session_id", pa.string()),
    ]
)


class Funnel(NamedTuple):
    """Steps 1, 2, 3 … of a funnel.

    Attributes
    ----------
    name
        Its name.
    windows
        Of step 2 and each later one, the microseconds allowed from the step before.
    """

    name: str
    windows: tuple[int, ...]


def funnels_of(steps: Iterable[tuple[str, int, float | None]]) -> list[Funnel]:
    """Return the funnels whose steps are given: funnel_name, step_number and window_hours."""
    return [
        Funnel(name, tuple(round((hours or 0) * HOUR) for _, step, hours in of_one if step > 1))
        for name, of_one in groupby(sorted(steps, key=itemgetter(0, 1)), itemgetter(0))
    ]


@dataclass(frozen=True)
class History:
    """What persons did that may be a step of one funnel; each column has shape (n,).

    The order is that of persons, then of time, steps and events.

    Attributes
    ----------
    person
        Number of the person.
    at
        Microseconds since 1970, UTC.
    step
        Number of the step, from 1 on.
    event
        Number of the event, `NONE` where it can be no other step.
    """

    person: Numbers
    at: Numbers
    step: Numbers
    event: Numbers

    def rows_of(self, step: int) -> Numbers:
        """Return the rows of a step, and one past the end, which stands for none."""
        return np.append(np.flatnonzero(self.step == step), len(self.step))

    def is_of(self, rows: Numbers, person: Numbers) -> Flags:
        """Tell which rows there are that are of these persons."""
        found = np.append(self.person, NONE)[rows]
        is_of: Flags = found == person
        return is_of


def chains(history: History, firsts: Numbers, windows: tuple[int, ...]) -> tuple[Numbers, Numbers]:
    """Follow the entries that first steps would open.

    Parameters
    ----------
    history
        n rows.
    firsts
        Shape (f,): rows of first steps.
    windows
        As in `Funnel`, of k - 1 steps.

    Returns
    -------
    tuple of numpy.ndarray
        Shape (f, k): the row that each step is taken by, `NONE` for a step that is not taken; and
        shape (f,): the microsecond after which another may open.
    """
    taken = np.full((len(firsts), len(windows) + 1), NONE)
    taken[:, 0] = firsts
    last, closes = firsts.copy(), history.at[firsts]
    is_open = np.ones(len(firsts), dtype=np.bool_)
    at = np.append(history.at, 0)
    shares_events = bool((history.event != NONE).any())
    for number, window in enumerate(windows, start=1):
        closes = np.where(is_open, history.at[last] + window, closes)
        rows = history.rows_of(number + 1)
        places = np.searchsorted(rows[:-1], last, side="right")
        while shares_events:
            is_again = is_open & _is_among(history, rows[places], taken[:, :number])
            if not is_again.any():
                break
            places = places + is_again
        found = rows[places]
        is_open &= history.is_of(found, history.person[firsts]) & (at[found] <= closes)
        last = np.where(is_open, found, last)
        taken[:, number] = np.where(is_open, found, NONE)
    return taken, np.where(is_open, history.at[last], closes)


def _is_among(history: History, rows: Numbers, taken: Numbers) -> Flags:
    """Tell which rows are of an event that a step was taken by, shape (f,)."""
    event = np.append(history.event, NONE)
    is_same = (event[rows][:, np.newaxis] == event[taken]).any(axis=1)
    is_among: Flags = is_same & (event[rows] != NONE)
    return is_among


def openings(person: Numbers, at: Numbers, closes: Numbers) -> Numbers:
    """Tell which first steps open an entry.

    Parameters
    ----------
    person, at, closes
        Shape (f,): of each first step, by person and time, whose it is, when, and the microsecond
        after which the entry that it would open leaves room for another.

    Returns
    -------
    numpy.ndarray
        Their places.
    """
    starts = np.flatnonzero(np.append(True, person[1:] != person[:-1])).tolist()
    times, ends = at.tolist(), closes.tolist()
    opened = []
    for start, end in zip(starts, [*starts[1:], len(times)], strict=True):
        place = start
        while place < end:
            opened.append(place)
            place = bisect_right(times, ends[place], place + 1, end)
    return np.array(opened, dtype=np.int64)


def entries_of(moments: pa.Table, funnel: Funnel) -> pa.Table:
    """Return the entries of some persons into a funnel.

    Parameters
    ----------
    moments
        One row per event and step of the funnel that it can be, by person_key, occurred_at,
        step_number and event_id: those, person_id, session_id, and event_id only where several
        steps could take the event.
    funnel
        Its steps.

    Returns
    -------
    pyarrow.Table
        One row per entry, columns as in `COLUMNS`. next_K_at is when step K came next from the
        entry on, in whatever order and however late. Of first steps at one time in several
        sessions, the smallest names the session.
    """
    history = History(
        run_numbers(numbers_of(moments["person_key"]))[1],
        numbers_of(moments["occurred_at"]),
        numbers_of(moments["step_number"]),
        _codes(moments["event_id"]),
    )
    rows = history.rows_of(1)[:-1]
    if not len(rows):
        return COLUMNS.empty_table()
    person, at = history.person[rows], history.at[rows]
    is_first = np.append(True, (person[1:] != person[:-1]) | (at[1:] != at[:-1]))
    firsts = rows[is_first]
    taken, closes = chains(history, firsts, funnel.windows)
    places = openings(history.person[firsts], history.at[firsts], closes)
    entries, taken = firsts[places], taken[places]
    columns = {
        "funnel_name": pa.repeat(pa.scalar(funnel.name), len(entries)),
        "person_id": moments["person_id"].take(pa.array(entries)),
        "furthest_step": pa.array((taken != NONE).sum(axis=1), pa.int32()),
        "session_id": _smallest(moments["session_id"], rows, is_first, places),
    }
    steps = len(funnel.windows) + 1
    for step in range(1, MOST_STEPS + 1):
        if step > steps:
            columns[f"step_{step}_at"] = columns[f"next_{step}_at"] = pa.nulls(len(entries))
            continue
        columns[f"step_{step}_at"] = _times(history, taken[:, step - 1])
        later = history.rows_of(step)
        # of the same time, it stands behind the first step
        found = later[np.searchsorted(later[:-1], entries)]
        is_own = history.is_of(found, history.person[entries])
        columns[f"next_{step}_at"] = _times(history, np.where(is_own, found, NONE))
    return pa.table({name: columns[name].cast(COLUMNS.field(name).type) for name in COLUMNS.names})


def _codes(column: pa.ChunkedArray) -> Numbers:
    """Return a number for each text, `NONE` for null."""
    codes = column.combine_chunks().dictionary_encode().indices
    return numbers_of(pc.fill_null(codes, NONE))


def _times(history: History, rows: Numbers) -> pa.Array:
    """Return when rows were; null for `NONE`."""
    return pa.array(np.append(history.at, 0)[rows], pa.int64(), mask=rows == NONE)


def _smallest(names: pa.ChunkedArray, rows: Numbers, is_first: Flags, places: Numbers) -> pa.Array:
    """Return the smallest name of the rows from each place of a first one up to the next."""
    starts = np.append(np.flatnonzero(is_first), len(rows))
    found = names.take(pa.array(rows[starts[places]]))
    several = np.flatnonzero(np.diff(starts)[places] > 1)
    if not len(several):
        return found
    told = found.to_pylist()
    for entry in several:
        start, end = starts[places[entry]], starts[places[entry] + 1]
        told[entry] = min(names.take(pa.array(rows[start:end])).to_pylist())
    return pa.array(told, pa.string())


def walked(batches: Iterable[pa.RecordBatch], funnels: list[Funnel]) -> pa.RecordBatchReader:
    """Return the entries of all persons into all funnels, some persons at a time.

    Parameters
    ----------
    batches
        Columns and order as in `entries_of`, with funnel_name, of all funnels.
    funnels
        Those that may occur.
    """

    def entries() -> Iterator[pa.RecordBatch]:
        for some in by_person(batches):
            for funnel in funnels:
                of_funnel = some.filter(pc.equal(some["funnel_name"], funnel.name))
                yield from entries_of(of_funnel, funnel).to_batches()

    return pa.RecordBatchReader.from_batches(COLUMNS, entries())
