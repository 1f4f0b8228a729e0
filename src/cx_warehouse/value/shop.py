"""The sessions and orders of a shop as numbers, counted some persons at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cx_warehouse.streams import by_person, numbers_of, run_numbers
from cx_warehouse.value.gains import clv_gains
from cx_warehouse.value.journeys import NO_STEP, Happenings, moves_of
from cx_warehouse.value.lift import NEVER, Part, Sessions, Steps
from cx_warehouse.value.states import Journeys, tallies_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from numpy.typing import NDArray

    from cx_warehouse.clv.score import Options
    from cx_warehouse.value.journeys import Kinds
    from cx_warehouse.value.states import Tally

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

DAY: Final = 86_400_000_000
# Expected values cost much once for any number of orders.
ORDERS_AT_ONCE: Final = 1_000_000
REWARDS: Final = ("margin", "clv")
STEPS: Final = pa.schema(
    [
        *((name, pa.int64()) for name in ("person_key", "session_key", "step_number")),
        ("occurred_at", pa.timestamp("us")),
    ]
)


@dataclass(frozen=True)
class Rules:
    """What is not in the tables.

    Attributes
    ----------
    now
        as_of, UTC.
    silence_days
        Days without a step after which a journey is over.
    """

    now: datetime
    silence_days: float


class Sales(NamedTuple):
    """Net sales of orders. In the wide type the order of the rows is lost in the rounding."""

    total: np.longdouble = np.longdouble(0)
    known: np.longdouble = np.longdouble(0)
    is_all_known: bool = True

    @classmethod
    def of(cls, sales: Floats, is_known: Flags) -> Sales:
        """Add up, in all and where a cost is known."""
        total, known = (part.sum(dtype=np.longdouble) for part in (sales, sales[is_known]))
        return cls(total, known, bool(is_known.all()))

    def plus(self, other: Sales) -> Sales:
        """Add those of other orders."""
        is_all_known = self.is_all_known and other.is_all_known
        return Sales(self.total + other.total, self.known + other.known, is_all_known)


class Segment(NamedTuple):
    """A way to part sessions.

    Attributes
    ----------
    name
        Its name.
    values
        Its v values.
    of_cell
        Shape (c,): the number of each cell's value.
    """

    name: str
    values: list[str]
    of_cell: Numbers


class Orders:
    """Orders by person and time, as numbers.

    Attributes
    ----------
    keys
        Shape (n,): hashes of the persons.
    at
        Shape (n,): microseconds since 1970.
    rewards
        Shape (n, 2): margin, and margin with what it adds to the predicted value.
    sales
        Shape (n,): net sales.
    """

    def __init__(self, orders: Iterable[pa.RecordBatch], fits: pa.Table, options: Options) -> None:
        """Work out rewards, of some orders at a time.

        Parameters
        ----------
        orders
            One row per order of somebody, by person_key and ordered_at: person_key (a hash of the
            person, 0 or more), ordered_at, margin (null where unknown) and net_sales, both 0 for a
            cancelled one, and what `clv_gains` needs.
        fits
            Of predicted values, as in `clv_gains`.
        options
            How values of persons are predicted.
        """
        some_at_once = by_person(orders, ORDERS_AT_ONCE)
        parts = [self._part(some, fits, options) for some in some_at_once] or [
            (np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 2)), np.empty(0))
        ]
        self.keys, self.at, self.rewards, self.sales = map(np.concatenate, zip(*parts, strict=True))

    @staticmethod
    def _part(
        orders: pa.Table, fits: pa.Table, options: Options
    ) -> tuple[Numbers, Numbers, Floats, Floats]:
        margin = _amounts(orders["margin"])
        rewards = np.stack([margin, margin + clv_gains(orders, fits, options)], axis=1)
        keys, at = numbers_of(orders["person_key"]), numbers_of(orders["ordered_at"])
        return keys, at, rewards, _amounts(orders["net_sales"])


class Shop:
    """What is counted of the sessions and orders of all persons, some persons at a time.

    Attributes
    ----------
    devices
        Names of devices by number; a cell is 2 x device, plus 1 for a returning person.
    parts
        Sessions for their comparison.
    cell_of_stratum
        The cell that each stratum lies in: device, new or returning, channel and intent.
    tallies
        Moves and ends of journeys.
    sold
        By cell, net sales of the orders that journeys ended with.
    """

    def __init__(self, orders: Orders, kinds: Kinds, rules: Rules) -> None:
        self.orders, self.kinds, self.rules = orders, kinds, rules
        self.devices, self.channels, self.intents, self.strata = (_Codes() for _ in range(4))
        self.parts: list[Part] = []
        self.cell_of_stratum: list[int] = []
        self.tallies: list[list[Tally]] = []
        self.sold: dict[int, Sales] = {}

    def add(self, sessions: pa.Table, steps: pa.Table) -> None:
        """Count the sessions of some persons, by person and time, and all their steps."""
        keys, person = run_numbers(numbers_of(sessions["person_key"]))
        device, channel, intent = (
            codes.of(pc.fill_null(sessions[name], "unknown"))
            for codes, name in (
                (self.devices, "device_type"),
                (self.channels, "channel_group"),
                (self.intents, "intent"),
            )
        )
        started = numbers_of(sessions["started_at"])
        first = started[np.searchsorted(person, np.arange(len(keys)))]
        cell = 2 * device + (started > first[person])
        # numbers of channels and intents are far below
        joint = pa.chunked_array([pa.array((cell << 40) + (channel << 20) + intent)])
        stratum = self.strata.of(joint)
        self.cell_of_stratum += [
            joint >> 40 for joint in list(self.strata.numbers)[len(self.cell_of_stratum) :]
        ]
        last_order = numbers_of(pc.fill_null(sessions["last_ordered_at"].cast(pa.int64()), NEVER))
        taken = _steps(numbers_of(sessions["session_key"]), steps, self.kinds)
        self.parts.append(Part.of(Sessions(person, cell, stratum, last_order), taken, self.kinds))
        journeys = self._journeys(keys, person, cell, taken)
        self.tallies.append(tallies_of(journeys, keys.astype(np.uint64), self.kinds))
        for number in np.unique(journeys.cell):
            is_end = journeys.moves.is_order & (journeys.cell == number)
            sold = Sales.of(journeys.sales[is_end], ~np.isnan(journeys.rewards[is_end, 0]))
            self.sold[int(number)] = self.sold.get(int(number), Sales()).plus(sold)

    def _journeys(self, keys: Numbers, person: Numbers, cell: Numbers, steps: Steps) -> Journeys:
        """Return the moves of journeys that are over, and what their ends bring."""
        orders = self.orders
        first, end = (
            np.searchsorted(orders.keys, keys[0]),
            np.searchsorted(orders.keys, keys[-1], "right"),
        )
        buyer = np.searchsorted(keys, orders.keys[first:end])
        # who never came to the shop's pages has no journey
        came = np.flatnonzero(keys[buyer] == orders.keys[first:end])
        buyer, order = buyer[came], came + first
        persons = person[steps.session]
        after = np.searchsorted(persons, buyer, side="right")
        happened = Happenings(
            np.insert(persons, after, buyer),
            np.insert(steps.at, after, orders.at[order]),
            np.insert(steps.step, after, NO_STEP),
        )
        [now] = numbers_of(pa.array([self.rules.now], pa.timestamp("us")))
        moves = moves_of(happened, self.kinds, int(self.rules.silence_days * DAY), int(now))
        ends = np.flatnonzero(moves.is_order)
        # place of each order, or of each step's session, among its like
        is_order = happened.step == NO_STEP
        number = np.where(is_order, np.cumsum(is_order), np.cumsum(~is_order)) - 1
        ordered = order[number[moves.row[ends]]]
        brought = np.zeros((len(moves.row), len(REWARDS)))
        brought[ends] = orders.rewards[ordered]
        sales = np.zeros(len(moves.row))
        sales[ends] = orders.sales[ordered]
        cells = cell[steps.session[number[moves.first]]]
        return Journeys(moves, happened.person[moves.row], cells, brought, sales)

    @property
    def segments(self) -> list[Segment]:
        """Ways to part sessions."""
        names = list(self.devices.numbers)
        every_cell = np.arange(2 * len(names))
        places = np.argsort(np.argsort(np.array(names, dtype=object)))
        return [
            Segment("all", ["all"], 0 * every_cell),
            Segment("device_type", sorted(names), places[every_cell // 2]),
            Segment("is_new", ["true", "false"], every_cell % 2),
        ]

    def counts(self) -> tuple[Numbers, Numbers]:
        """Return sessions, and sessions by kind of step, each by cell and whether they sold."""
        width, levels = 4 * len(self.devices.numbers), self.kinds.level_count
        sessions = np.zeros(width, dtype=np.int64)
        with_step = np.zeros(len(self.kinds.names) * width, dtype=np.int64)
        for part in self.parts:
            place = 2 * part.cell[part.unit] + (part.history % (levels + 1) > 0)
            sessions += np.bincount(place, minlength=width)
            taken = part.step.astype(np.int64) * width + place[part.session]
            with_step += np.bincount(taken, minlength=len(with_step))
        return sessions.reshape(-1, 2), with_step.reshape(len(self.kinds.names), -1, 2)


class Following:
    """Rows by person_key that are read alongside others."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self.batches = iter(batches)
        self.held: list[pa.RecordBatch] = []

    def until(self, key: int) -> pa.Table:
        """Return all rows up to a person that were not returned before."""
        while not self.held or _last_key(self.held[-1]) <= key:
            batch = next(self.batches, None)
            if batch is None:
                break
            if len(batch):
                self.held.append(batch)
        if not self.held:
            return STEPS.empty_table()
        table = pa.Table.from_batches(self.held)
        end = int(np.searchsorted(numbers_of(table["person_key"]), key, side="right"))
        self.held = table.slice(end).to_batches()
        return table.slice(0, end)


def _last_key(batch: pa.RecordBatch) -> int:
    key: int = batch["person_key"][-1].as_py()
    return key


def _steps(sessions: Numbers, steps: pa.Table, kinds: Kinds) -> Steps:
    """Return steps by row of their session, whose keys are given, and in time."""
    session = numbers_of(pc.index_in(steps["session_key"], pa.array(sessions)))
    rows = np.argsort(session, kind="stable")
    kind_of = np.argsort(np.array(kinds.names, dtype=object))
    step = kind_of[numbers_of(steps["step_number"])]
    at = numbers_of(steps["occurred_at"])
    return Steps(session[rows], at[rows], step[rows]).in_time()


def _amounts(column: pa.ChunkedArray) -> Floats:
    """Return amounts, NaN where there is none."""
    amounts: Floats = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return amounts


class _Codes:
    """Numbers of values, in the order in which they are first seen."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def of(self, column: pa.ChunkedArray) -> Numbers:
        """Return the number of each value."""
        coded = column.combine_chunks().dictionary_encode()
        numbers = [
            self.numbers.setdefault(value, len(self.numbers))
            for value in coded.dictionary.to_pylist()
        ]
        return np.array(numbers, dtype=np.int64)[numbers_of(coded.indices)]
