"""How often persons buy again: BG/NBD and MBG/NBD.

A person buys at a Poisson rate that is gamma(r, alpha) distributed over persons, and is lost for
good after a purchase with a chance that is beta(a, b) distributed. In the BG/NBD of Fader, Hardie
and Lee (2005), Marketing Science 24(2), a first purchase loses nobody; in the MBG/NBD of Batislam,
Denizel and Filiztekin (2007), International Journal of Research in Marketing 24(3), it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from scipy.special import betaln, digamma, expit, gammaln, log_expit

from cx_warehouse.clv.likelihood import ROWS_AT_ONCE, Maximum, checked, distinct, maximise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from cx_warehouse.clv.likelihood import Floats

    Model = Literal["bg_nbd", "mbg_nbd"]

# Purchases, besides the repeat ones, after which a person may be lost.
CHANCES_AT_FIRST: Final = {"bg_nbd": 0, "mbg_nbd": 1}
# r, alpha (over the longest age), a, b.
START: Final = (1.0, 0.25, 1.0, 2.0)
# The 95 % point of chi-square with one degree of freedom.
LIKELIHOOD_RATIO_MIN: Final = 3.84
PRECISION: Final = 20.0  # exp(-20) = 2e-9


@dataclass(frozen=True)
class Histories:
    """Distinct purchase histories, in their own order: the same whatever that of the persons.

    Attributes
    ----------
    frequency
        Shape (d,): repeat purchases x.
    age, recency
        Shape (d,): time T since the first purchase, and the first to the last purchase, t_x.
    persons
        Shape (d,): how many have this history.
    """

    frequency: Floats
    age: Floats
    recency: Floats
    persons: Floats


@dataclass(frozen=True)
class CountsFit:
    """A fitted model of counts.

    Attributes
    ----------
    model
        `bg_nbd` or `mbg_nbd`.
    estimate
        r, alpha (in the unit of time), a, b.
    without_dropout
        r, alpha of the NBD in which nobody is lost.
    """

    model: Model
    estimate: Maximum
    without_dropout: Maximum

    @property
    def is_dropout_identified(self) -> bool:
        """Whether the likelihood ratio against the NBD without dropout reaches 3.84."""
        gain = self.estimate.log_likelihood - self.without_dropout.log_likelihood
        return 2 * gain >= LIKELIHOOD_RATIO_MIN

    @property
    def is_identified(self) -> bool:
        """Whether the data show dropout, and each parameter on its own."""
        return self.is_dropout_identified and self.estimate.is_converged and self.estimate.is_curved

    @property
    def used(self) -> Maximum:
        """What predicts: the NBD where no dropout is seen, else the model."""
        return self.estimate if self.is_dropout_identified else self.without_dropout

    @property
    def parameters(self) -> tuple[float, float, float, float]:
        """r, alpha, a, b of what predicts; a = 0 where nobody is lost."""
        r, alpha, a, b = (*self.used.parameters, 0.0, 1.0)[:4]
        return float(r), float(alpha), float(a), float(b)


def histories_of(frequency: ArrayLike, recency: ArrayLike, age: ArrayLike) -> Histories:
    """Count distinct histories.

    Parameters
    ----------
    frequency
        Shape (n,): repeat purchases x.
    recency, age
        Shape (n,): time from the first purchase to the last one (0 without a repeat purchase) and
        to now, in one unit.

    Raises
    ------
    ValueError
        If a column is no list of finite numbers, lengths differ, or a person cannot be.
    """
    frequency, recency, age = checked(frequency=frequency, recency=recency, age=age)
    is_legal = (
        (frequency >= 0)
        & (frequency == np.floor(frequency))
        & (recency <= age)
        & (recency >= 0)
        & ((recency > 0) == (frequency > 0))
    )
    if not is_legal.all():
        row = int(np.argmin(is_legal))
        message = (
            f"row {row} is no history: frequency {frequency[row]}, recency {recency[row]}, age"
            f" {age[row]}; frequency must be a whole number, 0 < recency <= age, or both 0 without"
            " repeats"
        )
        raise ValueError(message)
    coded = [distinct(column) for column in (frequency, age, recency)]
    shape = tuple(max(1, len(values)) for values, _ in coded)
    if np.prod(shape, dtype=np.float64) > np.iinfo(np.int64).max:
        message = f"too many distinct histories: {shape}"
        raise ValueError(message)
    keys = np.ravel_multi_index(tuple(codes for _, codes in coded), shape)
    found, persons = np.unique(keys, return_counts=True)
    places = np.unravel_index(found, shape)
    frequency, age, recency = (
        values[place] for (values, _), place in zip(coded, places, strict=True)
    )
    return Histories(frequency, age, recency, persons.astype(np.float64))


class Likelihood:
    """Log-likelihoods of histories, with what does not depend on parameters computed once."""

    def __init__(self, histories: Histories, model: Model) -> None:
        """Sum persons by frequency and by age.

        Raises
        ------
        ValueError
            If there is no such model.
        """
        if model not in CHANCES_AT_FIRST:
            message = f"no model '{model}', only {', '.join(CHANCES_AT_FIRST)}"
            raise ValueError(message)
        self.frequencies, self.frequency_place = distinct(histories.frequency)
        self.ages, age_place = distinct(histories.age)
        self.by_frequency = np.bincount(self.frequency_place, histories.persons)
        self.by_age = np.bincount(age_place, histories.persons)
        self.purchases_by_age = np.bincount(age_place, histories.persons * histories.frequency)
        self.chances = self.frequencies + CHANCES_AT_FIRST[model]
        # Histories are sorted by frequency; those without a chance to be lost come first.
        self.first = int(np.searchsorted(self.chances[self.frequency_place], 1))
        self.histories = histories

    def without_dropout(self, logarithms: Floats) -> tuple[float, Floats]:
        """Return the log-likelihood of the NBD, and its gradient, by log r and log alpha.

        Sum over persons of ln G(r + x) - ln G(r) + r ln alpha - (r + x) ln(alpha + T).
        """
        r, alpha = np.exp(logarithms)
        later = np.log1p(self.ages / alpha)
        exponents = r * self.by_age + self.purchases_by_age
        value = (
            self.by_frequency @ (gammaln(r + self.frequencies) - gammaln(r))
            - exponents @ later
            - self.purchases_by_age.sum() * logarithms[1]
        )
        by_r = self.by_frequency @ (digamma(r + self.frequencies) - digamma(r)) - (
            self.by_age @ later
        )
        by_alpha = exponents @ (self.ages / (alpha + self.ages)) - self.purchases_by_age.sum()
        return float(value), np.array([r * by_r, by_alpha])

    def with_dropout(self, logarithms: Floats) -> tuple[float, Floats]:
        """Return the log-likelihood of the model, and its gradient, by log r, alpha, a and b.

        To that of the NBD each person adds ln B(a, b + k) - ln B(a, b) + ln(1 + odds), where k is
        how often it might have been lost and was not, and odds, those of being lost since the last
        purchase, a / (b + k - 1) ((alpha + T) / (alpha + t_x))^(r + x); 0 where k = 0.
        """
        value, by_nbd = self.without_dropout(logarithms[:2])
        a, b = np.exp(logarithms[2:])
        value += self.by_frequency @ (betaln(a, b + self.chances) - betaln(a, b))
        by_both = digamma(a + b) - digamma(a + b + self.chances)
        by_b = digamma(b + self.chances) - digamma(b) + by_both
        odds_value, by_r, by_alpha, lost = self._odds(*np.exp(logarithms))
        by_b_of_odds = np.divide(
            lost, b + self.chances - 1, out=np.zeros_like(lost), where=self.chances > 0
        )
        gradient = np.array(
            [
                by_nbd[0] + by_r,
                by_nbd[1] + by_alpha,
                a * (self.by_frequency @ by_both) + lost.sum(),
                b * (self.by_frequency @ by_b - by_b_of_odds.sum()),
            ]
        )
        return float(value) + odds_value, gradient

    def _odds(
        self, r: float, alpha: float, a: float, b: float
    ) -> tuple[float, float, float, Floats]:
        """Sum ln(1 + odds), its derivatives by log r and log alpha, and the lost by frequency."""
        value = by_r = by_alpha = 0.0
        lost = np.zeros(len(self.frequencies))
        with np.errstate(divide="ignore", invalid="ignore"):
            prior = np.log(a) - np.log(b + self.chances - 1)
        for rows in self._slices():
            place = self.frequency_place[rows]
            persons = self.histories.persons[rows]
            start, end = alpha + self.histories.recency[rows], alpha + self.histories.age[rows]
            exponent = r + self.histories.frequency[rows]
            longer = np.log(end / start)
            log_odds = exponent * longer + prior[place]
            small = np.exp(-np.abs(log_odds))
            value += float(persons @ (np.maximum(log_odds, 0) + np.log1p(small)))
            weight = persons * np.where(log_odds > 0, 1.0, small) / (1 + small)
            by_r += float(weight @ longer)
            by_alpha += float((weight * exponent) @ (1 / end - 1 / start))
            lost += np.bincount(place, weight, len(lost))
        return value, r * by_r, alpha * by_alpha, lost

    def _slices(self) -> Iterator[slice]:
        """Cut the rows that may have been lost into parts that fit a processor's cache."""
        for start in range(self.first, len(self.frequency_place), ROWS_AT_ONCE):
            yield slice(start, start + ROWS_AT_ONCE)


def fit_histories(histories: Histories, model: Model = "mbg_nbd") -> CountsFit:
    """Fit a model by maximum likelihood, from fixed start values.

    Parameters
    ----------
    histories
        Of at least one person.
    model
        `mbg_nbd` or `bg_nbd`.

    Returns
    -------
    CountsFit
        alpha in the unit of time of the histories. Where no time has passed for anybody, every rate
        is as likely as any other: r is 0, so that no purchase is expected, and not identified.

    Raises
    ------
    ValueError
        If there is nobody, or no such model.
    """
    if not len(histories.persons):
        message = "no customers to fit"
        raise ValueError(message)
    unit = float(histories.age.max())
    if not unit:
        nothing = Maximum(
            np.array([0.0, 1.0]), np.full(2, np.nan), 0.0, is_converged=True, is_curved=False
        )
        return CountsFit(model=model, estimate=nothing, without_dropout=nothing)
    scaled = Histories(
        histories.frequency, histories.age / unit, histories.recency / unit, histories.persons
    )
    likelihood = Likelihood(scaled, model)
    rows = int(histories.persons.sum())
    # Every repeat purchase is a density over time.
    densities = float(histories.persons @ histories.frequency * np.log(unit))
    full = maximise(likelihood.with_dropout, START, rows)
    plain = maximise(likelihood.without_dropout, START[:2], rows)
    return CountsFit(
        model=model,
        estimate=full.in_units((1, unit, 1, 1), densities),
        without_dropout=plain.in_units((1, unit), densities),
    )


def fit_counts(
    frequency: ArrayLike, recency: ArrayLike, age: ArrayLike, model: Model = "mbg_nbd"
) -> CountsFit:
    """Fit a model to persons: `fit_histories` of `histories_of`."""
    return fit_histories(histories_of(frequency, recency, age), model)


def probability_alive(
    parameters: tuple[float, float, float, float],
    frequency: Floats,
    recency: Floats,
    age: Floats,
    model: Model = "mbg_nbd",
) -> Floats:
    """Return the chance that each person will buy again at all.

    Parameters
    ----------
    parameters
        r, alpha, a, b; a = 0 where nobody is lost.
    frequency, recency, age
        Shape (n,), as for `histories_of`.
    model
        `mbg_nbd` or `bg_nbd`.

    Returns
    -------
    numpy.ndarray
        Shape (n,): 1 / (1 + odds), odds as in `Likelihood.with_dropout`. In the BG/NBD 1 without a
        repeat purchase.
    """
    r, alpha, a, b = parameters
    chances = frequency + CHANCES_AT_FIRST[model]
    if a == 0:
        return np.ones(len(frequency))
    longer = np.log1p((age - recency) / (alpha + recency))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_odds = (r + frequency) * longer + np.log(a) - np.log(b + chances - 1)
    alive: Floats = np.where(chances > 0, expit(-log_odds), 1.0)
    return alive


def orders_if_alive(
    parameters: tuple[float, float, float, float],
    frequency: Floats,
    age: Floats,
    horizons: Floats,
    model: Model = "mbg_nbd",
) -> Floats:
    """Return how many purchases are expected of persons who are still customers.

    Given that it is alive, a person's rate is gamma(r + x, alpha + T) and its chance of being lost
    p is beta(a, b + k), independently, and it buys (1 - exp(-rate p t)) / p times within t. The
    mean over the rate, w(p) = (1 - (1 + p z)^-(r + x)) / p with z = t / (alpha + T), is averaged
    over p by the trapezoidal rule over logit p, which converges geometrically because w and the
    density are analytic there up to an imaginary part of pi. Times `probability_alive` it equals
    the closed forms in 2F1 of the papers, and needs no exceptions near a = 1 or for many purchases.

    Parameters
    ----------
    parameters
        r, alpha, a, b; a = 0 where nobody is lost.
    frequency, age
        Shape (n,). Equal frequencies share their nodes.
    horizons
        Shape (h,) or, where each person has its own, in rising order, (n, h): times from now, in
        the unit of alpha.
    model
        `mbg_nbd` or `bg_nbd`.

    Returns
    -------
    numpy.ndarray
        Shape (n, h), within a relative error of 1e-7; never fewer within a longer time.
    """
    r, alpha, a, b = parameters
    rising = np.argsort(horizons, kind="stable") if horizons.ndim == 1 else slice(None)
    horizons = np.broadcast_to(horizons, (len(frequency), horizons.shape[-1]))
    orders = np.empty(horizons.shape)
    if not orders.size:
        return orders
    frequencies, places = distinct(frequency)
    order = np.argsort(places, kind="stable")
    ends = np.cumsum(np.bincount(places, minlength=len(frequencies)))
    for repeats, rows in zip(frequencies, np.split(order, ends[:-1]), strict=True):
        kept = b + repeats + CHANCES_AT_FIRST[model]
        times = horizons[rows] / (alpha + age[rows, np.newaxis])
        # The nodes are those for the youngest there could be, whoever else is asked about.
        nodes = _nodes(a, kept, (r + repeats) * float(horizons.max(initial=0)) / alpha)
        mean = _mean_purchases(r + repeats, times.ravel(), kept / (a + kept), *nodes)
        orders[rows] = mean.reshape(times.shape)
    # all that can come may have come within the shortest, and the rest is rounding
    orders[:, rising] = np.maximum.accumulate(orders[:, rising], axis=1)
    return orders


def _mean_purchases(
    exponent: float, times: Floats, staying: float, p: Floats, weights: Floats
) -> Floats:
    """Average w(p) of `orders_if_alive`: exponent r + x, times z (m,), mean of 1 - p, and nodes.

    What differs from a straight line between w(0) and w(1) vanishes at both ends of logit p,
    however slowly the density does, so that only this is summed over the nodes.
    """
    never, always = exponent * times, -np.expm1(-exponent * np.log1p(times))
    missing = staying - weights @ (1 - p), (1 - staying) - weights @ p
    mean: Floats = missing[0] * never + missing[1] * always
    count = ROWS_AT_ONCE // 4
    for start in range(0, len(times), count):
        part = slice(start, start + count)
        inner = np.log1p(times[part, np.newaxis] * p)
        lost = np.expm1(np.multiply(inner, -exponent, out=inner), out=inner)
        mean[part] -= np.einsum("ij,j", lost, weights / p)
    return np.maximum(mean, 0)


def _nodes(a: float, b: float, most: float) -> tuple[Floats, Floats]:
    """Return nodes p and weights of beta(a, b) over logit p.

    Within d of its top the log-density over logit p falls by at least c (exp(-d) + d - 1), which is
    at least c d^2 / (2 + d), because its third derivative is nowhere larger than its second;
    c = ab / (a + b) is its curvature at the top. Within d of the real axis, up to pi / 2, w is
    bounded and the density grows by about exp(c d^2 / 2), so that steps of h err by
    exp(-2 pi d / h + c d^2 / 2). `most`, the largest w(0), says how small p has to be until
    w(p) = w(0), and how much of an error would be seen.
    """
    if a == 0:
        return np.empty(0), np.empty(0)
    curvature = a * b / (a + b)
    end = PRECISION + np.log1p(most)
    reach = (end + np.sqrt(end * (end + 8 * curvature))) / (2 * curvature)
    top = np.log(a / b)
    width = min(np.pi / 2, np.sqrt(2 * end / curvature))
    step = 2 * np.pi * width / (end + curvature * width**2 / 2)
    low, high = max(top - reach, -end), min(top + reach, end)
    logits = np.arange(low, high, step)
    log_density = a * log_expit(logits) + b * log_expit(-logits)
    highest = log_density.max(initial=-np.inf)
    is_kept = log_density > highest - end
    weights = np.exp(log_density[is_kept] - highest)
    # Their own sum is exact for large a and b; it lacks what a small one has beyond the ends.
    is_whole = -end < low and high < end
    total = weights.sum() if is_whole else np.exp(betaln(a, b) - highest) / step
    return expit(logits[is_kept]), weights / total


def expected_orders(  # noqa: PLR0913, PLR0917 - what the model needs, in the order of all functions here
    parameters: tuple[float, float, float, float],
    frequency: ArrayLike,
    recency: ArrayLike,
    age: ArrayLike,
    horizons: ArrayLike,
    model: Model = "mbg_nbd",
) -> Floats:
    """Return how many purchases are expected of each person within each time from now.

    Parameters
    ----------
    parameters
        r, alpha, a, b; a = 0 where nobody is lost.
    frequency, recency, age
        Shape (n,), as for `histories_of`.
    horizons
        Shape (h,) or, where each person has its own, in rising order, (n, h): times from now, in
        the unit of alpha.
    model
        `mbg_nbd` or `bg_nbd`.

    Returns
    -------
    numpy.ndarray
        Shape (n, h). Finite and not negative.
    """
    frequency, recency, age = checked(frequency=frequency, recency=recency, age=age)
    alive = probability_alive(parameters, frequency, recency, age, model)
    kinds = Kinds(frequency, age)
    if_alive = orders_if_alive(
        parameters, kinds.frequency, kinds.age, np.asarray(horizons, dtype=np.float64), model
    )
    return alive[:, np.newaxis] * if_alive[kinds.places]


class Kinds:
    """Distinct pairs of frequency and age, on which alone depends what a living customer buys.

    Attributes
    ----------
    frequency, age
        Shape (d,).
    places
        Shape (n,): where each person's pair is among them.
    """

    def __init__(self, frequency: Floats, age: Floats) -> None:
        """Find the pairs; both arguments have shape (n,)."""
        frequencies, frequency_place = distinct(frequency)
        ages, age_place = distinct(age)
        count = max(1, len(ages))
        pairs, places = distinct(frequency_place * count + age_place)
        self.places: NDArray[np.int64] = places
        self.frequency: Floats = frequencies[(pairs // count).astype(np.int64)]
        self.age: Floats = ages[(pairs % count).astype(np.int64)]
