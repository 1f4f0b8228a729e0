"""CLV of the warehouse's customers: from tables of them to tables of what is predicted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cx_warehouse.clv.likelihood import Maximum
from cx_warehouse.clv.score import Customers, Estimates, GroupFit, Options, Scores, score
from cx_warehouse.clv.spend import SpendFit
from cx_warehouse.keys import hashed_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

NUMBERS: Final = (
    *("frequency", "recency_days", "age_days", "monetary_value"),
    *("margin", "net_sales", "orders"),
)
# What of a customer is read.
CUSTOMERS: Final = (
    *("person_id", "cutoff_date", "holdout_days", "value_basis", "segment_name", "segment_value"),
    *NUMBERS,
)
PARAMETERS: Final = ("r", "alpha", "a", "b", "p", "q", "v")
ESTIMATES: Final = tuple(name for each in PARAMETERS for name in (each, f"{each}_standard_error"))
MEANS: Final = ("mean_order_value", "margin_rate", "mean_spend")
PREDICTED: Final = (
    "probability_alive",
    "expected_orders_90d",
    "expected_orders_365d",
    "expected_order_value",
    "predicted_clv_signed",
    "predicted_clv",
    "predicted_first_year",
)
FITS: Final = pa.schema(
    [
        pa.field("fit", pa.int32()),
        pa.field("model_run_id", pa.string()),
        *(pa.field(name, pa.string()) for name in ("model", "segment_name", "segment_value")),
        *(pa.field(name, pa.float64()) for name in (*ESTIMATES, "log_likelihood", *MEANS)),
        pa.field("customer_count", pa.int64()),
        pa.field("is_dropout_identified", pa.bool_()),
        pa.field("is_spend_identified", pa.bool_()),
        pa.field("value_basis", pa.string()),
    ]
)
VALUED: Final = pa.schema(
    [
        pa.field("person_id", pa.string()),
        pa.field("state_month", pa.date32()),
        pa.field("predicted_clv", pa.float64()),
        pa.field("probability_alive", pa.float64()),
    ]
)
BACKTESTED: Final = pa.schema(
    [
        pa.field("cutoff_date", pa.date32()),
        pa.field("person_id", pa.string()),
        pa.field("expected_orders", pa.float64()),
        pa.field("expected_value", pa.float64()),
        pa.field("is_identified", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Run:
    """What a run of the models stands for, beside its customers.

    Attributes
    ----------
    options
        How to predict.
    segment_name
        By what customers are fitted apart; `all` if not at all.
    calibration_end, value_basis
        Date of the newest data and what is valued, which name the run.
    """

    options: Options
    segment_name: str = "all"
    calibration_end: str = ""
    value_basis: str = "margin"

    def identifier(self, segment: tuple[str, str]) -> str:
        """Return a name for the fit of a segment: the same for the same data and settings."""
        settings = "|".join(f"{name}={value}" for name, value in asdict(self.options).items())
        text = "|".join((self.calibration_end, self.value_basis, *segment, settings))
        return hashed_id(text)


def options_of(said: Mapping[str, str]) -> Options:
    """Return the options that vars of the project give, as texts."""
    return Options(
        model="bg_nbd" if said["model"] == "bg_nbd" else "mbg_nbd",
        horizon_months=int(said["horizon_months"]),
        monthly_discount_rate=float(said["monthly_discount_rate"]),
        group_min_customers=int(said["group_min_customers"]),
        shrinkage_orders=float(said["shrinkage_orders"]),
    )


def predict(customers: pa.Table, options: Options) -> tuple[pa.Table, pa.Table]:
    """Fit and score the customers.

    Parameters
    ----------
    customers
        One row per person, columns of `CUSTOMERS` (numbers as in `Customers`), in the order of
        person_id, so that the same customers give the same bits. The same in all rows are
        segment_name, cutoff_date (now), holdout_days and value_basis.
    options
        How to predict.

    Returns
    -------
    tuple of pyarrow.Table
        Per person, in the order of person_id: person_id, the columns of `PREDICTED`, is_identified
        and fit; and the fits, columns as in `FITS`. Both are empty without customers.
    """
    run = Run(options)
    if customers.num_rows:
        first = customers.slice(0, 1).to_pylist()[0]
        run = Run(options, first["segment_name"], str(first["cutoff_date"]), first["value_basis"])
    scores = _scores(customers, options)
    columns = {name: pa.array(getattr(scores, name)) for name in (*PREDICTED, "is_identified")}
    columns["fit"] = pa.array(scores.fit)
    people = pa.table({"person_id": customers["person_id"], **columns})
    rows = [_row(place, fit, run) for place, fit in enumerate(scores.fits)]
    return people, pa.Table.from_pylist(rows, schema=FITS)


def backtest(customers: pa.Table, options: Options) -> pa.Table:
    """Fit anew at each cut-off and predict what followed it.

    Parameters
    ----------
    customers
        As in `predict`, for several values of cutoff_date; holdout_days are those from cutoff_date
        to now.
    options
        How to predict; its horizon and discount rate do not matter.

    Returns
    -------
    pyarrow.Table
        Per cut-off and person, in their order, columns as in `BACKTESTED`: days with orders
        expected within holdout_days, and their value, undiscounted.
    """
    parts = [BACKTESTED.empty_table()]
    for cutoff in sorted(pc.unique(customers["cutoff_date"]).to_pylist()):
        some = customers.filter(pc.equal(customers["cutoff_date"], cutoff))
        ahead = replace(
            options,
            horizon_months=1,
            monthly_discount_rate=0.0,
            days_per_month=float(some["holdout_days"][0].as_py()),
            first_months=0,
        )
        scores = _scores(some, ahead)
        columns = [
            some["cutoff_date"],
            some["person_id"],
            scores.discounted_orders,
            scores.predicted_clv_signed,
            scores.is_identified,
        ]
        parts.append(pa.table(columns, names=BACKTESTED.names).cast(BACKTESTED))
    return pa.concat_tables(parts)


def value_months(months: Iterable[pa.Table], options: Options) -> Iterator[pa.Table]:
    """Fit anew at the end of each month and predict what was to come.

    Parameters
    ----------
    months
        For each month a table of person_id, state_month, segment_name, segment_value and
        `NUMBERS`, in the order of person_id.
    options
        How to predict.

    Yields
    ------
    pyarrow.Table
        Of a month, a row per person in the order of person_id, columns as in `VALUED`.
    """
    for some in months:
        scores = _scores(some, replace(options, first_months=0))
        columns = [
            some["person_id"],
            some["state_month"],
            scores.predicted_clv,
            scores.probability_alive,
        ]
        valued = pa.table(columns, names=VALUED.names).cast(VALUED)
        # the next month is read in the room of this one
        del some, scores, columns
        yield valued
        del valued
    pa.default_memory_pool().release_unused()


def estimates_of(fit: Mapping[str, Any]) -> Estimates:
    """Return what predicts, from a row of the fits of `predict`."""
    found = None
    if fit["is_spend_identified"]:
        # that they tell of a mean was seen when they were fitted
        shape, errors = np.array([fit[name] for name in ("p", "q", "v")]), np.zeros(3)
        found = Maximum(shape, errors, np.nan, is_converged=True, is_curved=True)
    mean = fit["mean_spend"]
    spend = SpendFit(found, mean or 0.0, 0 if mean is None else 1)
    # without dropout there is neither a nor b
    counts = (fit["r"], fit["alpha"], fit["a"] or 0.0, fit["b"] or 1.0)
    return Estimates(counts, spend, fit["mean_order_value"], fit["margin_rate"])


def _scores(customers: pa.Table, options: Options) -> Scores:
    numbers = {name: customers[name].cast(pa.float64()).to_numpy() for name in NUMBERS}
    is_pooled = pc.all(pc.equal(customers["segment_name"], "all")).as_py()
    if is_pooled:
        return score(Customers(**numbers), options)
    segments = customers["segment_value"].to_numpy(zero_copy_only=False).astype(str)
    return score(Customers(**numbers, group=segments), options)


def _row(place: int, fit: GroupFit, run: Run) -> dict[str, object]:
    segment = ("all", "all") if fit.group is None else (run.segment_name, str(fit.group))
    return {
        "fit": place,
        "model_run_id": run.identifier(segment),
        "model": fit.model,
        "segment_name": segment[0],
        "segment_value": segment[1],
        **fit.parameters,
        "log_likelihood": fit.log_likelihood,
        "customer_count": fit.customer_count,
        "is_dropout_identified": fit.is_dropout_identified,
        "is_spend_identified": fit.is_spend_identified,
        **{name: getattr(fit, name) for name in MEANS},
        "value_basis": run.value_basis,
    }
