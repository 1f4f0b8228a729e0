"""How much persons spend when they buy: gamma-gamma, and shares of persons and segments.

What a person spends on a day is gamma distributed with shape p and a scale of its own, whose
inverse is gamma(q, v) distributed over persons: Fader and Hardie (2013), The gamma-gamma model of
monetary value, brucehardie.com/notes/025.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import digamma, gammaln

from cx_warehouse.clv.likelihood import QUANTILE, ROWS_AT_ONCE, checked, distinct, maximise

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cx_warehouse.clv.likelihood import Floats, Maximum

# p, q, v (over the mean).
START: Final = (2.0, 3.0, 1.0)


@dataclass(frozen=True)
class SpendFit:
    """A fitted model of spend.

    Attributes
    ----------
    estimate
        p, q, v (in the unit of money); nothing where no person bought again for more than 0.
    mean
        Mean spend per repeat day of those who were fitted, 0 without any.
    persons
        How many were fitted.
    """

    estimate: Maximum | None
    mean: float
    persons: int

    @property
    def is_identified(self) -> bool:
        """Whether the search arrived, each parameter is seen, and q > 1, so that a mean exists.

        The whole 95 % interval of q lies above 1: p v / (q - 1) knows no bound close to it.
        """
        found = self.estimate
        if found is None or not (found.is_converged and found.is_curved):
            return False
        return bool(found.parameters[1] - QUANTILE * found.standard_errors[1] > 1)


class Likelihood:
    """Log-likelihood of mean spends, with what does not depend on parameters computed once."""

    def __init__(self, days: Floats, total: Floats) -> None:
        """Sort persons by repeat days and total spend on them, each of shape (n,) and over 0."""
        self.frequencies, places = distinct(days)
        self.persons = np.bincount(places, minlength=len(self.frequencies)).astype(np.float64)
        # Sums of rows in an order of their own do not depend on how they came.
        order = np.argsort(places.astype(np.min_scalar_type(len(self.frequencies))), kind="stable")
        self.total = total[order]
        for run in np.split(self.total, np.cumsum(self.persons[:-1]).astype(np.int64)):
            run.sort()
        self.days = np.repeat(self.frequencies, self.persons.astype(np.int64))
        log_total = np.log(self.total)
        self.weighted_logs = float((self.days * log_total).sum())
        self.log_means = float((log_total - np.log(self.days)).sum())

    def __call__(self, logarithms: Floats) -> tuple[float, Floats]:
        """Return the log-likelihood, and its gradient, by log p, q and v.

        Sum over persons, with x days and S = x times the mean m, of ln G(px + q) - ln G(px)
        - ln G(q) + q ln v + px ln S - ln m - (px + q) ln(v + S): equation (1a) of the paper.
        """
        p, q, v = np.exp(logarithms)
        shapes, rows = p * self.frequencies, self.persons.sum()
        logs = weighted_logs = shares = 0.0
        for start in range(0, len(self.total), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            days, both = self.days[part], v + self.total[part]
            log_both = np.log(both)
            logs += float(log_both.sum())
            weighted_logs += float(days @ log_both)
            shares += float(((p * days + q) / both).sum())
        value = (
            self.persons @ (gammaln(shapes + q) - gammaln(shapes) - gammaln(q))
            + rows * q * logarithms[2]
            + p * (self.weighted_logs - weighted_logs)
            - self.log_means
            - q * logs
        )
        by_p = (
            (self.persons * self.frequencies) @ (digamma(shapes + q) - digamma(shapes))
            + self.weighted_logs
            - weighted_logs
        )
        by_q = self.persons @ (digamma(shapes + q) - digamma(q)) + rows * logarithms[2] - logs
        return float(value), np.array([p * by_p, q * by_q, rows * q - v * shares])


def fit_spend(days: ArrayLike, mean: ArrayLike) -> SpendFit:
    """Fit the gamma-gamma model by maximum likelihood, from fixed start values.

    Parameters
    ----------
    days
        Shape (n,): repeat days of a person.
    mean
        Shape (n,): mean net sales of such a day. Who has no repeat day, or none for more than 0 on
        average, is left out, since the model knows only positive amounts.

    Returns
    -------
    SpendFit
        v in the unit of money.

    Raises
    ------
    ValueError
        If a column is no list of finite numbers, or lengths differ.
    """
    days, mean = checked(days=days, mean=mean)
    is_kept = (days > 0) & (mean > 0)
    days, total = days[is_kept], (days * mean)[is_kept]
    if not len(days):
        return SpendFit(None, 0.0, 0)
    # In the wide type the order of the persons is lost in the rounding.
    average = float(total.sum(dtype=np.longdouble) / days.sum())
    found = maximise(Likelihood(days, total / average), START, len(days))
    densities = len(days) * float(np.log(average))
    return SpendFit(found.in_units((1, 1, average), densities), average, len(days))


def expected_value(
    fit: SpendFit, days: Floats, mean: Floats, fallback: float, shrinkage_orders: float
) -> Floats:
    """Return the expected net sales of each person's next order.

    Parameters
    ----------
    fit
        The model of the person's segment.
    days, mean
        Shape (n,): repeat days and mean net sales of such a day; a mean below 0 counts as 0.
    fallback
        Mean of the segment where nobody bought again for more than 0.
    shrinkage_orders
        More than 0: how many orders of the segment's mean are added to a person's own where the
        model is not identified.

    Returns
    -------
    numpy.ndarray
        Shape (n,): p (v + x m) / (px + q - 1), equation (5) of Fader and Hardie (2013); where the
        model is not identified (k orders are added) (x m + k M) / (x + k), M the segment's mean.
    """
    total = days * np.maximum(mean, 0)
    if fit.estimate is not None and fit.is_identified:
        p, q, v = fit.estimate.parameters
        modelled: Floats = p * (v + total) / (p * days + q - 1)
        return modelled
    segment = fit.mean if fit.persons else max(fallback, 0.0)
    shrunk: Floats = (total + shrinkage_orders * segment) / (days + shrinkage_orders)
    return shrunk


def shrunk_rate(margin: Floats, sales: Floats, segment_rate: float, weight: float) -> Floats:
    """Return each person's margin on a unit of net sales, drawn towards its segment's.

    Parameters
    ----------
    margin, sales
        Shape (n,): sums over a person's orders; net sales below 0 count as 0.
    segment_rate
        Sum of margins over sum of net sales of the segment.
    weight
        How much money of the segment is added to the person's own, 0 or more.

    Returns
    -------
    numpy.ndarray
        Shape (n,): (margin + weight rate) / (sales + weight); the segment's where that is 0 / 0.
    """
    base = np.maximum(sales, 0) + weight
    rate: Floats = np.divide(
        margin + weight * segment_rate, base, out=np.full_like(base, segment_rate), where=base > 0
    )
    return rate
