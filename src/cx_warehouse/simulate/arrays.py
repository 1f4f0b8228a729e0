"""Turns NumPy arrays into typed Arrow columns without a Python loop over rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEVER: Final = np.iinfo(np.int64).min
"""A time that is not known; null in a column."""
DAY: Final = 86_400
"""Seconds of a day."""
HOUR: Final = 3_600
"""Seconds of an hour."""
NIGHTLY_LOAD: Final = 2 * HOUR
"""When the night's load runs, in seconds of the day."""
TIME_TYPE: Final = pa.timestamp("ms", tz="UTC")
MONEY_TYPE: Final = pa.decimal128(18, 2)
CHUNK_STEP: Final = 10_000_000
"""Numbers of a chunk's rows start at chunk times this: a chunk knows its ids without the others."""
ID_DIGITS: Final = 11
ZERO: Final = ord("0")


def validity(is_null: Bools | None) -> pa.Buffer | None:
    """Return Arrow's bitmap of the values that are not null."""
    if is_null is None or not is_null.any():
        return None
    return pa.py_buffer(np.packbits(~is_null, bitorder="little"))


def identifiers(
    prefix: str,
    numbers: Ints,
    is_null: Bools | None = None,
    suffix: str = "",
    digits: int = ID_DIGITS,
) -> pa.Array:
    """Write numbers as zero-padded text.

    Parameters
    ----------
    prefix, suffix
        Text before and behind the number.
    numbers
        Shape (n,), not negative, below 10 to the power of `digits`.
    is_null
        Shape (n,); where the text is null.
    digits
        Width of the number.

    Returns
    -------
    pyarrow.Array
        Strings, shape (n,).
    """
    head, tail = prefix.encode(), suffix.encode()
    width = len(head) + digits + len(tail)
    text = np.empty((len(numbers), width), np.uint8)
    text[:, : len(head)] = np.frombuffer(head, np.uint8)
    rest = numbers.astype(np.int64)
    for place in range(len(head) + digits - 1, len(head) - 1, -1):
        rest, digit = np.divmod(rest, 10)
        text[:, place] = digit + ZERO
    text[:, len(head) + digits :] = np.frombuffer(tail, np.uint8)
    offsets = np.arange(len(numbers) + 1, dtype=np.int64) * width
    large = pa.Array.from_buffers(
        pa.large_string(),
        len(numbers),
        [validity(is_null), pa.py_buffer(offsets), pa.py_buffer(text)],
    )
    return large.cast(pa.string())


def words(dictionary: Sequence[str] | pa.Array, index: NDArray[Any]) -> pa.Array:
    """Pick texts by their index; a negative index is null.

    Parameters
    ----------
    dictionary
        The texts.
    index
        Shape (n,).

    Returns
    -------
    pyarrow.DictionaryArray
        Shape (n,).
    """
    texts = dictionary if isinstance(dictionary, pa.Array) else pa.array(dictionary, pa.string())
    slots = pa.array(index.astype(np.int32), mask=np.asarray(index < 0))
    return pa.DictionaryArray.from_arrays(slots, texts)


def times(seconds: Ints, start: int) -> pa.Array:
    """Turn seconds since the start of the lake into UTC timestamps; `NEVER` is null.

    Parameters
    ----------
    seconds
        Shape (n,).
    start
        The lake's first second since 1970.
    """
    return milli_times(np.where(seconds == NEVER, NEVER, seconds * 1000), start)


def milli_times(milliseconds: Ints, start: int) -> pa.Array:
    """Turn milliseconds since the start of the lake into UTC timestamps; `NEVER` is null."""
    is_null = np.asarray(milliseconds == NEVER)
    since_1970 = np.where(is_null, 0, milliseconds + start * 1000).astype(np.int64)
    return pa.Array.from_buffers(
        TIME_TYPE, len(since_1970), [validity(is_null), pa.py_buffer(since_1970)]
    )


def dates(days: Ints, start: int) -> pa.Array:
    """Turn days since the start of the lake into dates."""
    return pa.array((days + start // DAY).astype(np.int32)).cast(pa.date32())


def money(cents: Ints, is_null: Bools | None = None) -> pa.Array:
    """Turn whole cents into decimals without a detour through floats or text."""
    halves = np.empty((len(cents), 2), dtype="<i8")
    halves[:, 0] = cents
    halves[:, 1] = cents >> 63
    return pa.Array.from_buffers(
        MONEY_TYPE, len(cents), [validity(is_null), pa.py_buffer(np.ascontiguousarray(halves))]
    )


def values(numbers: NDArray[Any], is_null: Bools | None = None) -> pa.Array:
    """Turn numbers or booleans into a column."""
    return pa.array(numbers, mask=is_null)


def ranks(counts: Ints) -> Ints:
    """Count the members of each group from 0, where groups of these sizes stand in a row.

    Parameters
    ----------
    counts
        Shape (groups,), sizes.

    Returns
    -------
    numpy.ndarray
        Shape (sum of counts,).
    """
    total = int(counts.sum())
    return np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
