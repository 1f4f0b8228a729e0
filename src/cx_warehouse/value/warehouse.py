"""Value of the warehouse's micro-conversions: from sessions and orders to a table of values."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from cx_warehouse.streams import by_person
from cx_warehouse.value.journeys import Kinds
from cx_warehouse.value.lift import Comparison
from cx_warehouse.value.shop import (
    REWARDS,
    Following,
    Orders,
    Sales,
    Shop,
)
from cx_warehouse.value.states import Chain, StepValues

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from cx_warehouse.value.lift import Lift
    from cx_warehouse.value.shop import Orders, Rules, Segment

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

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


def micro_conversion_values(
    sessions: Iterable[pa.RecordBatch],
    steps: Iterable[pa.RecordBatch],
    orders: Orders,
    micro_conversions: pa.Table,
    rules: Rules,
) -> pa.Table:
    """Value each micro-conversion in each segment of sessions.

    Parameters
    ----------
    sessions
        One row per session, by person_key and started_at: person_key and session_key (hashes of the
        person and of itself, 0 or more), started_at, device_type, channel_group, intent and
        last_ordered_at (null without an order in it).
    steps
        One row per session and step, by person_key: person_key, session_key, occurred_at and
        step_number, its place among the sorted names of the micro-conversions.
    orders
        Those of the same persons.
    micro_conversions
        The registry: micro_conversion, stage_number.
    rules
        Settings.

    Returns
    -------
    pyarrow.Table
        One row per micro-conversion of the registry and value of a segment that has sessions,
        columns as in `VALUES`. Amounts are in the unit of margin. Memory grows with sessions and
        steps by some ten bytes each.
    """
    registry = zip(
        micro_conversions["micro_conversion"].to_pylist(),
        micro_conversions["stage_number"].to_pylist(),
        strict=True,
    )
    kinds = Kinds.of(dict(registry))
    if not kinds.names:
        return VALUES.empty_table()
    shop = Shop(orders, kinds, rules)
    following = Following(steps)
    for some in by_person(sessions):
        shop.add(some, following.until(some["person_key"][-1].as_py()))
    if not shop.parts:
        return VALUES.empty_table()
    comparison = Comparison(shop.parts, np.array(shop.cell_of_stratum), kinds)
    segments = shop.segments
    lifts = comparison.lifts([segment.of_cell for segment in segments])
    chain = Chain(shop.tallies, kinds) if shop.sold else None
    counts = shop.counts()
    parts = []
    for segment, lift in zip(segments, lifts, strict=True):
        columns = _counts(*counts, segment) | _lifts(lift)
        for number, value in enumerate(segment.values):
            if not columns["segment_sessions"][number]:
                continue
            is_in = segment.of_cell == number
            rows: dict[str, object] = {
                **{name: column[..., number] for name, column in columns.items()},
                **_state_values(chain, is_in, len(kinds.names)),
                **_cost_known(shop.sold, is_in),
            }
            parts.append(_table(kinds, (segment.name, value), rows))
    return pa.concat_tables(parts)


def _counts(sessions: Numbers, with_step: Numbers, segment: Segment) -> dict[str, Numbers]:
    """Return sessions and those with an order by value of the segment, and by kind of step."""
    into = segment.of_cell[:, np.newaxis] == np.arange(len(segment.values))
    sessions, with_step = sessions.T @ into, np.swapaxes(with_step, 1, 2) @ into
    return {
        "session_count": with_step.sum(axis=1),
        "converted_sessions": with_step[:, 1],
        "segment_sessions": sessions.sum(axis=0),
        "segment_converted": sessions[1],
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


def _cost_known(sold: dict[int, Sales], is_in: Flags) -> dict[str, object]:
    """Tell how much of what the journeys of some cells sold has a known cost."""
    sales = reduce(Sales.plus, [sold[cell] for cell in sorted(sold) if is_in[cell]], Sales())
    share = min(max(float(sales.known) / float(sales.total), 0.0), 1.0) if sales.total else np.nan
    return {"cost_known_share": share, "is_cost_known": sales.is_all_known}


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
