"""Value of the warehouse's micro-conversions: from sessions and orders to a table of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cx_warehouse.value.gains import clv_gains
from cx_warehouse.value.journeys import NO_STEP, Happenings, Kinds, in_time, moves_of
from cx_warehouse.value.lift import NEVER, Comparison, Sessions, Steps
from cx_warehouse.value.states import Chain, Journeys, StepValues

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from cx_warehouse.clv.score import Options
    from cx_warehouse.value.lift import Lift

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

DAY: Final = 86_400_000_000
REWARDS: Final = ("margin", "clv")
COUNTS: Final = ("session_count", "segment_sessions", "converted_sessions", "segment_converted")
LIFT: Final = ("lift", "lift_low", "lift_high", "matched_share")
STATE_VALUES: Final = tuple(f"{reward}{end}" for reward in REWARDS for end in ("", "_low", "_high"))
VALUES: Final = pa.schema(
    [
        *(pa.field(n, pa.string()) for n in ("micro_conversion", "segment_name", "segment_value")),
        *(pa.field(name, pa.int64()) for name in COUNTS),
        *(pa.field(name, pa.float64()) for name in (*LIFT, *STATE_VALUES, "cost_known_share")),
        pa.field("is_cost_known", pa.bool_()),
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
    options
        How values of persons are predicted.
    """

    now: datetime
    silence_days: float
    options: Options


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


class Shop:
    """Sessions, their steps and orders as numbers.

    Attributes
    ----------
    keys
        Shape (p,): hashes of the persons, in their order.
    sessions
        By person and time, with strata of device, new or returning, channel and intent.
    steps
        The first of each kind in each session, in time.
    segments
        Ways to part sessions.
    """

    def __init__(self, sessions: pa.Table, kinds: Kinds) -> None:
        """Give numbers to what the table names."""
        key, started = _numbers(sessions["person_key"]), _numbers(sessions["started_at"])
        rows = np.argsort(key, kind="stable")
        self.keys, person = _run_numbers(key[rows])
        device, devices = _coded(sessions["device_type"])
        channel, channels = _coded(sessions["channel_group"])
        intent, intents = _coded(sessions["intent"])
        stratum = (device * len(channels) + channel) * len(intents) + intent
        rows = rows[in_time(person, started[rows], stratum[rows])]
        started = started[rows]
        is_returning = started > started[np.searchsorted(person, np.arange(len(self.keys)))][person]
        cell = device[rows] * 2 + is_returning
        last_order = _numbers(pc.fill_null(sessions["last_ordered_at"].cast(pa.int64()), NEVER))
        self.sessions = Sessions(person, cell, stratum[rows] * 2 + is_returning, last_order[rows])
        self.steps = _steps(sessions["steps"].combine_chunks(), rows, kinds)
        every_cell = np.arange(2 * len(devices))
        self.segments = [
            Segment("all", ["all"], 0 * every_cell),
            Segment("device_type", devices, every_cell // 2),
            Segment("is_new", ["true", "false"], every_cell % 2),
        ]


def micro_conversion_values(
    sessions: pa.Table,
    orders: pa.Table,
    fits: pa.Table,
    micro_conversions: pa.Table,
    rules: Rules,
) -> pa.Table:
    """Value each micro-conversion in each segment of sessions.

    Parameters
    ----------
    sessions
        One row per session: person_key (a hash of the person), started_at, device_type,
        channel_group, intent, last_ordered_at (null without an order in it), and steps, a list of
        occurred_at and micro_conversion, each micro-conversion once.
    orders
        One row per order of somebody: order_id, person_key, ordered_at, margin (null where unknown)
        and net_sales, both 0 for a cancelled one, and what `clv_gains` needs.
    fits
        Of predicted values, as in `clv_gains`.
    micro_conversions
        The registry: micro_conversion, stage_number.
    rules
        Settings.

    Returns
    -------
    pyarrow.Table
        One row per micro-conversion of the registry and value of a segment that has sessions,
        columns as in `VALUES`. Amounts are in the unit of margin.
    """
    registry = zip(
        micro_conversions["micro_conversion"].to_pylist(),
        micro_conversions["stage_number"].to_pylist(),
        strict=True,
    )
    kinds = Kinds.of(dict(registry))
    if not sessions.num_rows or not kinds.names:
        return VALUES.empty_table()
    shop = Shop(sessions, kinds)
    comparison = Comparison(shop.sessions, shop.steps, kinds)
    lifts = comparison.lifts([segment.of_cell for segment in shop.segments])
    orders = orders.sort_by("order_id")
    margin = _amounts(orders["margin"])
    rewards = np.stack([margin, margin + clv_gains(orders, fits, rules.options)], axis=1)
    journeys = _journeys(shop, orders, rewards, kinds, rules)
    chain = Chain(journeys, shop.keys, kinds) if len(journeys.person) else None
    parts = []
    for segment, lift in zip(shop.segments, lifts, strict=True):
        columns = _counts(shop, segment, len(kinds.names)) | _lifts(lift)
        for number, value in enumerate(segment.values):
            if not columns["segment_sessions"][number]:
                continue
            is_in = segment.of_cell == number
            rows: dict[str, object] = {
                **{name: column[..., number] for name, column in columns.items()},
                **_state_values(chain, is_in, len(kinds.names)),
                **_cost_known(journeys, is_in),
            }
            parts.append(_table(kinds, (segment.name, value), rows))
    return pa.concat_tables(parts)


def _journeys(
    shop: Shop, orders: pa.Table, rewards: Floats, kinds: Kinds, rules: Rules
) -> Journeys:
    """Return the moves of all persons' journeys that are over, and what their ends bring."""
    steps, persons = shop.steps, shop.sessions.person[shop.steps.session]
    keys = _numbers(orders["person_key"]).astype(np.uint64)
    buyer = np.searchsorted(shop.keys, keys)
    # who never came to the shop's pages has no journey
    came = np.flatnonzero(shop.keys[np.minimum(buyer, len(shop.keys) - 1)] == keys)
    order = came[np.argsort(buyer[came], kind="stable")]
    after = np.searchsorted(persons, buyer[order], side="right")
    happened = Happenings(
        np.insert(persons, after, buyer[order]),
        np.insert(steps.at, after, _numbers(orders["ordered_at"])[order]),
        np.insert(steps.step, after, NO_STEP),
    )
    [now] = _numbers(pa.array([rules.now], pa.timestamp("us")))
    moves = moves_of(happened, kinds, int(rules.silence_days * DAY), int(now))
    ends = np.flatnonzero(moves.is_order)
    # place of each order, or of each step's session, among its like
    is_order = happened.step == NO_STEP
    number = np.where(is_order, np.cumsum(is_order), np.cumsum(~is_order)) - 1
    ordered = order[number[moves.row[ends]]]
    brought = np.zeros((len(moves.row), len(REWARDS)))
    brought[ends] = rewards[ordered]
    sales = np.zeros(len(moves.row))
    sales[ends] = _amounts(orders["net_sales"])[ordered]
    cell = shop.sessions.cell[steps.session[number[moves.first]]]
    return Journeys(moves, happened.person[moves.row], cell, brought, sales)


def _counts(shop: Shop, segment: Segment, kinds: int) -> dict[str, Numbers]:
    """Return sessions and those with an order by value of the segment, and by kind of step."""
    count = len(segment.values)
    of_session = segment.of_cell[shop.sessions.cell]
    is_sold = shop.sessions.last_order > NEVER
    place = shop.steps.step * count + of_session[shop.steps.session]
    sold = place[is_sold[shop.steps.session]]
    shape = kinds, count
    return {
        "session_count": np.bincount(place, minlength=kinds * count).reshape(shape),
        "converted_sessions": np.bincount(sold, minlength=kinds * count).reshape(shape),
        "segment_sessions": np.bincount(of_session, minlength=count),
        "segment_converted": np.bincount(of_session[is_sold], minlength=count),
    }


def _lifts(lift: Lift) -> dict[str, Floats]:
    """Return a lift by the names of columns."""
    low, high = lift.difference - lift.half_width, lift.difference + lift.half_width
    return dict(zip(LIFT, (lift.difference, low, high, lift.matched_share), strict=True))


def _state_values(chain: Chain | None, is_in: Flags, count: int) -> dict[str, Floats]:
    """Return values in the chain of some cells by name; NaN without any journey."""
    unknown = np.full((count, len(REWARDS)), np.nan)
    found = chain.values(is_in) if chain else StepValues(unknown, unknown, unknown)
    ends = zip(("", "_low", "_high"), found, strict=True)
    return {
        f"{reward}{end}": values[:, number]
        for end, values in ends
        for number, reward in enumerate(REWARDS)
    }


def _cost_known(journeys: Journeys, is_in: Flags) -> dict[str, object]:
    """Tell how much of what the journeys of some cells sold has a known cost."""
    is_end = journeys.moves.is_order & is_in[journeys.cell]
    sales = journeys.sales[is_end]
    is_known = ~np.isnan(journeys.rewards[is_end, 0])
    # In the wide type the order of the rows is lost in the rounding.
    total, known = (float(part.sum(dtype=np.longdouble)) for part in (sales, sales[is_known]))
    share = min(max(known / total, 0.0), 1.0) if total else np.nan
    return {"cost_known_share": share, "is_cost_known": bool(is_known.all())}


def _table(kinds: Kinds, segment: tuple[str, str], rows: dict[str, object]) -> pa.Table:
    """Return a segment's rows of the result; what is not finite is null."""
    count = len(kinds.names)
    columns = dict(zip(("segment_name", "segment_value"), segment, strict=True)) | rows
    arrays = [pa.array(kinds.names)]
    for field in list(VALUES)[1:]:
        values = np.broadcast_to(np.asarray(columns[field.name]), count)
        mask = ~np.isfinite(values) if field.type == pa.float64() else None
        arrays.append(pa.array(values, mask=mask).cast(field.type))
    return pa.table(arrays, schema=VALUES)


def _steps(lists: pa.Array, rows: Numbers, kinds: Kinds) -> Steps:
    """Return the steps of some rows of a column of lists, in time."""
    length = _numbers(pc.fill_null(pc.list_value_length(lists), 0))
    start = (np.cumsum(length) - length)[rows]
    length = length[rows]
    session = np.repeat(np.arange(len(rows)), length)
    places = np.arange(len(session)) + np.repeat(start - (np.cumsum(length) - length), length)
    flat = pc.list_flatten(lists)
    step = pc.index_in(pc.struct_field(flat, "micro_conversion"), pa.array(kinds.names))
    at = _numbers(pc.struct_field(flat, "occurred_at"))
    return Steps(session, at[places], _numbers(step)[places]).in_time()


def _run_numbers(keys: Numbers) -> tuple[NDArray[np.uint64], Numbers]:
    """Return the distinct ones of sorted keys, and each row's number among them."""
    is_first = np.ones(len(keys), dtype=np.bool_)
    is_first[1:] = keys[1:] != keys[:-1]
    return keys[is_first].astype(np.uint64), np.cumsum(is_first) - 1


def _numbers(column: pa.Array | pa.ChunkedArray) -> Numbers:
    """Return whole numbers, or microseconds since 1970, without nulls."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us")).cast(pa.int64())
    numbers: Numbers = column.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers


def _amounts(column: pa.ChunkedArray) -> Floats:
    """Return amounts, NaN where there is none."""
    amounts: Floats = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return amounts


def _coded(column: pa.ChunkedArray) -> tuple[Numbers, list[str]]:
    """Return each text's place among the sorted texts, `unknown` for none."""
    coded = pc.fill_null(column, "unknown").combine_chunks().dictionary_encode()
    names = coded.dictionary.to_pylist()
    ranks = np.argsort(np.argsort(np.array(names, dtype=object)))
    return ranks[_numbers(coded.indices)], sorted(names)
