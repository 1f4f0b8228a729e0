"""Rows that come in the order of persons, read some persons at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

ROWS_AT_ONCE: Final = 250_000


def by_person(batches: Iterable[pa.RecordBatch], size: int = ROWS_AT_ONCE) -> Iterator[pa.Table]:
    """Cut rows by person_key into tables of `size` rows, and the rest of the last person's.

    Where they are cut depends on the rows alone.
    """
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += len(batch)
        if count <= size:
            continue
        table = pa.Table.from_batches(held)
        keys = numbers_of(table["person_key"])
        start = 0
        while len(keys) - start > size:
            end = int(np.searchsorted(keys, keys[start + size - 1], side="right"))
            if end == len(keys):
                break
            yield table.slice(start, end - start)
            start = end
        held, count = table.slice(start).to_batches(), len(keys) - start
    if count:
        yield pa.Table.from_batches(held)


def run_numbers(keys: Numbers) -> tuple[Numbers, Numbers]:
    """Return the distinct ones of sorted keys, and each row's number among them."""
    is_first = np.ones(len(keys), dtype=np.bool_)
    is_first[1:] = keys[1:] != keys[:-1]
    return keys[is_first], np.cumsum(is_first) - 1


def numbers_of(column: pa.Array | pa.ChunkedArray) -> Numbers:
    """Return whole numbers, or microseconds since 1970, without nulls."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us")).cast(pa.int64())
    numbers: Numbers = column.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers
