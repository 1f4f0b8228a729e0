"""Predictive CLV: fits per group of customers, and what they say of each customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from cx_warehouse.clv.counts import (
    CountsFit,
    Kinds,
    fit_counts,
    orders_if_alive,
    probability_alive,
)
from cx_warehouse.clv.likelihood import checked
from cx_warehouse.clv.spend import SpendFit, expected_value, fit_spend, shrunk_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from cx_warehouse.clv.counts import Model
    from cx_warehouse.clv.likelihood import Floats, Maximum

    Rows = slice | NDArray[np.int64]

DAYS_PER_MONTH: Final = 365 / 12
SHOWN_DAYS: Final = (90.0, 365.0)
ROWS_AT_ONCE: Final = 2**18


@dataclass(frozen=True)
class Customers:
    """What is known of customers; each column has shape (n,).

    Attributes
    ----------
    frequency
        Repeat days: days with orders after the first.
    recency_days, age_days
        Days from the first order to the last one (0 without a repeat day) and to now.
    monetary_value
        Mean net sales of a repeat day, 0 without one.
    margin, net_sales, orders
        Sums over all orders. Where cost is unknown, margin is net_sales.
    group
        Label of what is fitted apart; None for one fit of all.
    """

    frequency: ArrayLike
    recency_days: ArrayLike
    age_days: ArrayLike
    monetary_value: ArrayLike
    margin: ArrayLike
    net_sales: ArrayLike
    orders: ArrayLike
    group: ArrayLike | None = None


@dataclass(frozen=True)
class Options:
    """How to predict.

    Attributes
    ----------
    model
        `mbg_nbd` or `bg_nbd`.
    horizon_months
        Months that are summed, 1 or more.
    monthly_discount_rate
        More than -1.
    group_min_customers
        A group with fewer customers is scored by the fit of all. So is one of mostly unknown costs.
    shrinkage_orders
        More than 0: orders of the segment's mean that are added to a person's own.
    days_per_month
        Length of a month, more than 0.
    first_months
        Months after a first order whose value is that of the order, 0 or more.
    """

    model: Model = "mbg_nbd"
    horizon_months: int = 12
    monthly_discount_rate: float = 0.01
    group_min_customers: int = 1000
    shrinkage_orders: float = 5.0
    days_per_month: float = DAYS_PER_MONTH
    first_months: int = 12

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises
        ------
        ValueError
            If one is out of its range.
        """
        if (
            self.horizon_months < 1
            or not self.monthly_discount_rate > -1
            or not self.shrinkage_orders > 0
            or not self.days_per_month > 0
            or self.first_months < 0
        ):
            message = (
                "horizon_months >= 1, discount rate > -1, shrinkage_orders > 0,"
                f" days_per_month > 0, first_months >= 0, not {self}"
            )
            raise ValueError(message)


@dataclass(frozen=True)
class GroupFit:
    """One fit, as it predicts.

    Attributes
    ----------
    group
        Label, None for all customers.
    parameters
        r, alpha (days), a, b, p, q, v (money), each followed by its `_standard_error`. Where no
        dropout is seen the NBD predicts: r and alpha are its own, a and b None. p, q and v are None
        without repeat spend; an error is where the likelihood is not curved in every direction.
    log_likelihood
        Of the counts, by the model that predicts.
    mean_order_value, margin_rate
        Net sales over orders, and margin over net sales (0 where that is 0 or less).
    mean_spend
        Mean net sales of a repeat day; None where nobody bought again for more than 0.
    customer_count
        Customers who were fitted.
    is_identified
        Whether dropout is seen, each parameter of counts and spend too, and q > 1.
    """

    group: object
    model: str
    parameters: dict[str, float | None]
    log_likelihood: float
    mean_order_value: float
    margin_rate: float
    mean_spend: float | None
    customer_count: int
    is_converged: bool
    is_dropout_identified: bool
    is_counts_identified: bool
    is_spend_identified: bool
    is_identified: bool


@dataclass(frozen=True)
class Scores:
    """What is predicted of each customer; each column has shape (n,).

    Attributes
    ----------
    probability_alive
        Chance that the customer will order again at all.
    expected_orders_90d, expected_orders_365d
        Days with orders within 90 and 365 days from now.
    discounted_orders
        The same within the horizon, each discounted as its value is.
    expected_order_value
        Net sales of such a day.
    predicted_clv_signed, predicted_clv
        Discounted margin over the horizon, and the same or 0 if that is more.
    predicted_first_year
        Margin in what is left of the first months after the first order, discounted to that order;
        0 where they are over.
    fit
        Place among `fits` of the one that was used.
    is_identified
        Of that fit.
    fits
        The groups', in the order of labels, then that of all customers if it was used.
    """

    probability_alive: Floats
    expected_orders_90d: Floats
    expected_orders_365d: Floats
    discounted_orders: Floats
    expected_order_value: Floats
    predicted_clv_signed: Floats
    predicted_clv: Floats
    predicted_first_year: Floats
    fit: NDArray[np.int32]
    is_identified: NDArray[np.bool_]
    fits: list[GroupFit]


class _Columns(NamedTuple):
    frequency: Floats
    recency: Floats
    age: Floats
    value: Floats
    margin: Floats
    sales: Floats
    orders: Floats

    def of(self, rows: Rows) -> _Columns:
        return _Columns(*(column[rows] for column in self))


@dataclass(frozen=True)
class Estimates:
    """What of a fit predicts.

    Attributes
    ----------
    parameters
        r, alpha (days), a, b; a = 0 where nobody is lost.
    spend
        The model of spend.
    mean_order_value, margin_rate
        As in `GroupFit`.
    """

    parameters: tuple[float, float, float, float]
    spend: SpendFit
    mean_order_value: float
    margin_rate: float


@dataclass(frozen=True)
class _Fitted:
    counts: CountsFit
    spend: SpendFit
    mean_order_value: float
    margin_rate: float

    @property
    def estimates(self) -> Estimates:
        return Estimates(
            self.counts.parameters, self.spend, self.mean_order_value, self.margin_rate
        )

    @property
    def is_identified(self) -> bool:
        return self.counts.is_identified and self.spend.is_identified


def score(customers: Customers, options: Options | None = None) -> Scores:
    """Fit counts and spend per group, and predict each customer's value.

    A group of fewer than `group_min_customers`, or whose margins are known of fewer orders than
    half of its days with orders, is scored by the fit of all customers, which is made however few
    there are. Where a fit is not identified its customers are predicted all the same and flagged:
    without dropout (NBD) where the likelihood shows none, by means drawn towards the segment's
    where spend has no mean or no shape of its own. With nobody there is no fit.

    Parameters
    ----------
    customers
        Columns of equal length.
    options
        The defaults if left out.

    Returns
    -------
    Scores
        predicted_clv_signed is P(alive) x expected value of an order x margin rate x the sum over
        months m of expected orders in the month if alive x (1 + rate)^-m.

    Raises
    ------
    ValueError
        If a column is no list of finite numbers, lengths differ, or a history cannot be.
    """
    options = options or Options()
    columns = _checked(customers)
    count = len(columns.frequency)
    scores = _empty_scores(count)
    for label, fitted_rows, scored_rows in _groups(customers.group, columns, options):
        fitted = _fit(columns.of(fitted_rows), options)
        scores.fit[scored_rows] = len(scores.fits)
        scores.is_identified[scored_rows] = fitted.is_identified
        scores.fits.append(_record(label, fitted, len(columns.frequency[fitted_rows])))
        _predict(columns, scored_rows, fitted.estimates, options, scores)
    np.maximum(scores.predicted_clv_signed, 0, out=scores.predicted_clv)
    return scores


def value_of(customers: Customers, estimates: Estimates, options: Options) -> Floats:
    """Predict the value of histories, whosever they are, by a fit that was made before.

    Parameters
    ----------
    customers
        Columns of equal length; their groups do not matter.
    estimates
        The fit.
    options
        Those of the fit.

    Returns
    -------
    numpy.ndarray
        Shape (n,): predicted_clv_signed as in `score`.

    Raises
    ------
    ValueError
        If a column is no list of finite numbers, or lengths differ.
    """
    columns = _checked(customers)
    count = len(columns.frequency)
    scores = _empty_scores(count)
    if count:
        _predict(columns, slice(0, count), estimates, options, scores)
    return scores.predicted_clv_signed


def _empty_scores(count: int) -> Scores:
    return Scores(
        probability_alive=np.empty(count),
        expected_orders_90d=np.empty(count),
        expected_orders_365d=np.empty(count),
        discounted_orders=np.empty(count),
        expected_order_value=np.empty(count),
        predicted_clv_signed=np.empty(count),
        predicted_clv=np.empty(count),
        predicted_first_year=np.empty(count),
        fit=np.zeros(count, dtype=np.int32),
        is_identified=np.zeros(count, dtype=np.bool_),
        fits=[],
    )


def _checked(customers: Customers) -> _Columns:
    return _Columns(
        *checked(
            frequency=customers.frequency,
            recency_days=customers.recency_days,
            age_days=customers.age_days,
            monetary_value=customers.monetary_value,
            margin=customers.margin,
            net_sales=customers.net_sales,
            orders=customers.orders,
        )
    )


def _groups(
    group: ArrayLike | None, columns: _Columns, options: Options
) -> Iterator[tuple[object, Rows, Rows]]:
    """Yield the label, the rows to fit and the rows to score of each fit."""
    count = len(columns.frequency)
    everybody = slice(0, count)
    if group is None:
        if count:
            yield None, everybody, everybody
        return
    labels, places = np.unique(np.asarray(group), return_inverse=True)
    if places.shape != (count,):
        message = f"group has shape {places.shape}, the other columns ({count},)"
        raise ValueError(message)
    sizes = np.bincount(places, minlength=len(labels))
    known, days = (
        np.bincount(places, column, len(labels))
        for column in (columns.orders, columns.frequency + 1)
    )
    is_large = (sizes >= options.group_min_customers) & (2 * known >= days)
    for place in np.flatnonzero(is_large):
        rows = np.flatnonzero(places == place)
        yield labels[place].item(), rows, rows
    if not is_large.all():
        yield None, everybody, np.flatnonzero(~is_large[places])


def _fit(columns: _Columns, options: Options) -> _Fitted:
    # In the wide type the order of the rows is lost in the rounding.
    margin, sales, orders = (
        float(column.sum(dtype=np.longdouble))
        for column in (columns.margin, columns.sales, columns.orders)
    )
    return _Fitted(
        counts=fit_counts(columns.frequency, columns.recency, columns.age, options.model),
        spend=fit_spend(columns.frequency, columns.value),
        mean_order_value=max(sales, 0) / orders if orders > 0 else 0.0,
        margin_rate=margin / sales if sales > 0 else 0.0,
    )


def _predict(
    columns: _Columns, rows: Rows, fitted: Estimates, options: Options, scores: Scores
) -> None:
    """Write the predictions of some rows."""
    kinds = Kinds(columns.frequency[rows], columns.age[rows])
    if_alive = _orders_if_alive(kinds, fitted, options)
    for start in range(0, len(kinds.places), ROWS_AT_ONCE):
        end = min(start + ROWS_AT_ONCE, len(kinds.places))
        part = slice(start, end) if isinstance(rows, slice) else rows[start:end]
        some = columns.of(part)
        alive = probability_alive(
            fitted.parameters, some.frequency, some.recency, some.age, options.model
        )
        orders = np.take(if_alive, kinds.places[start:end], axis=1)
        value = expected_value(
            fitted.spend,
            some.frequency,
            some.value,
            fitted.mean_order_value,
            options.shrinkage_orders,
        )
        weight = options.shrinkage_orders * fitted.mean_order_value
        rate = shrunk_rate(some.margin, some.sales, fitted.margin_rate, weight)
        scores.probability_alive[part] = alive
        scores.expected_orders_90d[part] = alive * orders[0]
        scores.expected_orders_365d[part] = alive * orders[1]
        scores.discounted_orders[part] = alive * orders[2]
        scores.expected_order_value[part] = value
        scores.predicted_clv_signed[part] = alive * orders[2] * value * rate
        scores.predicted_first_year[part] = alive * orders[3] * value * rate


def _orders_if_alive(kinds: Kinds, fitted: Estimates, options: Options) -> Floats:
    """Return what is expected of each distinct kind of customer that is alive, shape (4, kinds).

    Orders within each of `SHOWN_DAYS`, discounted orders within the horizon, and those in what is
    left of the first months, discounted to the first order.
    """
    months = np.arange(1, options.horizon_months + 1) * options.days_per_month
    orders = orders_if_alive(
        fitted.parameters,
        kinds.frequency,
        kinds.age,
        np.array([*SHOWN_DAYS, *months]),
        options.model,
    )
    shown = len(SHOWN_DAYS)
    first_year = np.zeros(len(kinds.age))
    ends = np.arange(1, options.first_months + 1) * options.days_per_month
    is_young = kinds.age < ends.max(initial=0)
    left = np.maximum(ends - kinds.age[is_young, np.newaxis], 0)
    first_year[is_young] = _discounted(
        orders_if_alive(
            fitted.parameters,
            kinds.frequency[is_young],
            kinds.age[is_young],
            left,
            options.model,
        ),
        options,
    )
    return np.vstack([orders[:, :shown].T, _discounted(orders[:, shown:], options), first_year])


def _discounted(orders: Floats, options: Options) -> Floats:
    """Sum orders by the ends of months 1, 2 ..., shape (n, months), each month's discounted.

    Orders of month m count (1 + rate)^-m; summed by parts, all orders until its end count what the
    next month's lack of that.
    """
    months = np.arange(1, orders.shape[1] + 1, dtype=np.float64)
    discounts = (1 + options.monthly_discount_rate) ** -months
    discounted: Floats = orders @ -np.diff(discounts, append=0)
    return discounted


def _record(label: object, fitted: _Fitted, customer_count: int) -> GroupFit:
    counts, spend = fitted.counts, fitted.spend
    return GroupFit(
        group=label,
        model=counts.model,
        parameters=_with_errors("r alpha a b", counts.used) | _with_errors("p q v", spend.estimate),
        log_likelihood=counts.used.log_likelihood,
        mean_order_value=fitted.mean_order_value,
        margin_rate=fitted.margin_rate,
        mean_spend=spend.mean if spend.persons else None,
        customer_count=customer_count,
        is_converged=counts.used.is_converged
        and (spend.estimate is None or spend.estimate.is_converged),
        is_dropout_identified=counts.is_dropout_identified,
        is_counts_identified=counts.is_identified,
        is_spend_identified=spend.is_identified,
        is_identified=fitted.is_identified,
    )


def _with_errors(names: str, estimate: Maximum | None) -> dict[str, float | None]:
    """Return each parameter and its standard error by name; None for what there is not."""
    found: dict[str, float | None] = {}
    for place, name in enumerate(names.split()):
        found[name] = found[f"{name}_standard_error"] = None
        if estimate is not None and place < len(estimate.parameters):
            found[name] = float(estimate.parameters[place])
            error = estimate.standard_errors[place]
            found[f"{name}_standard_error"] = float(error) if np.isfinite(error) else None
    return found
