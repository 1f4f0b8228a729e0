"""Removal effects of channels in a first-order Markov chain of journeys.

A journey is the channels of its touches in the order of time. It begins in the state start and
ends in conversion or null. The effect of removing a channel is the share of conversions that is
lost when every move into it leads to null instead: 1 - P(conversion without it) / P(conversion),
after Anderl, Becker, von Wangenheim and Schumann (2016), International Journal of Research in
Marketing 33(3).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from numpy.typing import NDArray

    Moves = Mapping[tuple[str, str], float]

# Brackets, so that no channel of a shop is called so.
START: Final = "(start)"
CONVERSION: Final = "(conversion)"
NULL: Final = "(null)"
EFFECTS: Final = pa.schema(
    {
        "period_month": pa.date32(),
        "channel_group": pa.string(),
        "removal_effect": pa.float64(),
        "share": pa.float64(),
        "first_month": pa.date32(),
    }
)


def chance_of_conversion(moves: NDArray[np.float64], ends: NDArray[np.float64]) -> float:
    """Return the chance that a journey converts.

    Parameters
    ----------
    moves
        Shape (k, k): chance of a move from a state to another that ends nothing; state 0 is start.
    ends
        Shape (k,): chance of a conversion right after each state.

    Returns
    -------
    float
        First component of h, which solves h = ends + moves h.
    """
    return float(np.linalg.solve(np.eye(len(moves)) - moves, ends)[0])


def removal_effects(counted: Moves) -> dict[str, float]:
    """Return the removal effect of each channel, exactly.

    Time grows with the fourth power of the number of channels (20 channels: a millisecond), and
    does not depend on the number or the length of journeys.

    Parameters
    ----------
    counted
        Number of moves by (from, to): `START` or a channel, to a channel, `CONVERSION` or `NULL`.

    Returns
    -------
    dict
        Effect by channel, between 0 and 1, in the order of names; all 0 where nothing converts.
    """
    channels = sorted({state for move in counted for state in move} - {START, CONVERSION, NULL})
    states = [START, *channels]
    place = {state: number for number, state in enumerate([*states, CONVERSION, NULL])}
    counts = np.zeros((len(states), len(place)))
    for (origin, target), count in counted.items():
        counts[place[origin], place[target]] += count
    left = counts.sum(axis=1, keepdims=True)
    chances = np.divide(counts, left, out=np.zeros_like(counts), where=left > 0)
    moves, ends = chances[:, : len(states)], chances[:, place[CONVERSION]]
    whole = chance_of_conversion(moves, ends)
    if whole == 0:
        return dict.fromkeys(channels, 0.0)
    effects = {}
    for channel in channels:
        kept = [number for number, state in enumerate(states) if state != channel]
        without = chance_of_conversion(moves[np.ix_(kept, kept)], ends[kept])
        effects[channel] = min(1.0, max(0.0, 1 - without / whole))
    return effects


def shares_of(effects: Mapping[str, float]) -> dict[str, float | None]:
    """Return each effect by the sum of all; nothing where all are 0."""
    total = sum(effects.values())
    return {channel: effect / total if total else None for channel, effect in effects.items()}


def months_to_read(
    conversions: Sequence[tuple[date, float]], enough: float
) -> Iterable[tuple[date, Sequence[date]]]:
    """Tell which months each month's chain is estimated from.

    Parameters
    ----------
    conversions
        Months in the order of time, with their numbers of conversions.
    enough
        Conversions below which the months before join in, one by one, as far as there are any.

    Yields
    ------
    tuple
        A month, and the months to read, itself included.
    """
    months = [month for month, _ in conversions]
    for last, (month, _) in enumerate(conversions):
        first, found = last, conversions[last][1]
        while found < enough and first > 0:
            first -= 1
            found += conversions[first][1]
        yield month, months[first : last + 1]


def effects_by_month(moves: pa.Table, enough: float) -> pa.Table:
    """Return the removal effects of each month.

    Parameters
    ----------
    moves
        Columns `period_month` (date), `from_state`, `to_state`, `moves` (a count).
    enough
        Conversions below which months before join in.

    Returns
    -------
    pyarrow.Table
        One row per month and channel of its journeys, columns as in `EFFECTS`; `share` is null
        where nothing converts, `first_month` the earliest month that was read.
    """
    by_month: dict[date, Counter[tuple[str, str]]] = {}
    for row in moves.to_pylist():
        counted = by_month.setdefault(row["period_month"], Counter())
        counted[row["from_state"], row["to_state"]] += row["moves"]
    conversions = [
        (month, sum(count for move, count in by_month[month].items() if move[1] == CONVERSION))
        for month in sorted(by_month)
    ]
    rows = []
    for month, read in months_to_read(conversions, enough):
        effects = removal_effects(sum((by_month[one] for one in read), Counter()))
        shares = shares_of(effects)
        rows += [
            dict(
                zip(EFFECTS.names, (month, channel, effect, shares[channel], read[0]), strict=True)
            )
            for channel, effect in effects.items()
        ]
    return pa.Table.from_pylist(rows, schema=EFFECTS)
