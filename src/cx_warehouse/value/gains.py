"""How much more a person is expected to bring after an order than before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow.compute as pc

from cx_warehouse.clv.score import Customers, value_of
from cx_warehouse.clv.warehouse import estimates_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from cx_warehouse.clv.score import Estimates, Options

    Floats = NDArray[np.float64]

HISTORY: Final = ("frequency", "recency_days", "monetary_value", "margin", "net_sales", "orders")


def clv_gains(orders: pa.Table, fits: pa.Table, options: Options) -> Floats:
    """Return what each order adds to the value that is expected of its person.

    Parameters
    ----------
    orders
        One row per order: model_run_id of the person's fit, age_days at the order, and the columns
        of `HISTORY` once as before_ and once as after_ it: counts and sums of the person's orders
        as in `Customers`. Without an order before, the columns before_ are null; where an order
        adds to nobody's history, all are.
    fits
        One row per fit, columns as in `cx_warehouse.clv.warehouse.FITS`.
    options
        Those of the fits.

    Returns
    -------
    numpy.ndarray
        Shape (n,): predicted value after less before, 0 before the first order and for an order
        that adds to no history; NaN where values are in net sales, since costs are unknown: one
        fit in net sales says that all are.
    """
    fitted = fits.to_pylist()
    if any(fit["value_basis"] != "margin" for fit in fitted):
        return np.full(orders.num_rows, np.nan)
    gains = np.zeros(orders.num_rows)
    age_days = _floats(orders["age_days"])
    histories = [
        {name: _floats(orders[f"{when}_{name}"]) for name in HISTORY}
        for when in ("after", "before")
    ]
    for fit in fitted:
        is_fit = pc.equal(orders["model_run_id"], fit["model_run_id"]).combine_chunks()
        rows = np.flatnonzero(pc.fill_null(is_fit, fill_value=False).to_numpy(zero_copy_only=False))
        estimates = estimates_of(fit)
        after, before = (
            _values(age_days, history, rows, estimates, options) for history in histories
        )
        gains[rows] = after - before
    return gains


def _values(
    age_days: Floats,
    history: Mapping[str, Floats],
    rows: NDArray[np.int64],
    estimates: Estimates,
    options: Options,
) -> Floats:
    """Return the expected value before or after some orders, 0 where there is no history."""
    values = np.zeros(len(rows))
    known = np.flatnonzero(~np.isnan(history["frequency"][rows]))
    taken = rows[known]
    columns = {name: column[taken] for name, column in history.items()}
    values[known] = value_of(Customers(age_days=age_days[taken], **columns), estimates, options)
    return values


def _floats(column: pa.ChunkedArray) -> Floats:
    floats: Floats = column.to_numpy(zero_copy_only=False).astype(np.float64)
    return floats
