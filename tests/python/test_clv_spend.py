"""Spend: CDNOW, `lifetimes`, `clvkit`, simulated customers, and data without a mean."""

from __future__ import annotations

import numpy as np
import pytest

from clv_data import cdnow, simulate_spend
from cx_warehouse.clv.spend import Likelihood, expected_value, fit_spend, shrunk_rate

CDNOW = (6.25, 3.74, 15.44)


def likelihood_of(days, mean):
    return Likelihood(days, days * mean)


@pytest.fixture(scope="module")
def exact():
    rng = np.random.default_rng(2)
    days = rng.geometric(0.2, 1000).astype(float)
    return days, simulate_spend((3.0, 2.5, 40.0), days, rng)


# Fader and Hardie (2013) print three digits.
def test_cdnow_has_the_published_parameters():
    sample = cdnow()
    fit = fit_spend(sample["x"], sample["mean"])
    assert fit.persons == 946
    assert fit.estimate.parameters == pytest.approx(CDNOW, abs=0.005)
    assert fit.is_identified
    shuffled = sample.sample(frac=1, random_state=1)
    again = fit_spend(shuffled["x"], shuffled["mean"])
    assert (fit.estimate.parameters == again.estimate.parameters).all()
    # Cents instead of dollars: the same but for rounding.
    cents = fit_spend(sample["x"], sample["mean"] * 100)
    ratio = cents.estimate.parameters / fit.estimate.parameters
    assert ratio == pytest.approx([1, 1, 100], rel=1e-6)
    densities = fit.estimate.log_likelihood - cents.estimate.log_likelihood
    assert densities == pytest.approx(946 * np.log(100), rel=1e-9)


def test_lifetimes_and_clvkit_say_the_same(exact):
    import lifetimes  # noqa: PLC0415 - slow, and needed here only
    from clvkit import GammaGamma  # noqa: PLC0415

    days, mean = exact
    value, _ = likelihood_of(days, mean)(np.log(CDNOW))
    fitter = lifetimes.GammaGammaFitter()
    others = fitter._negative_log_likelihood(  # noqa: SLF001
        np.log(CDNOW), days, mean, np.ones(len(days)), 0
    )
    assert -value / len(days) == pytest.approx(others, rel=1e-10)
    likelihood = GammaGamma._log_likelihood(*CDNOW, days, mean)  # noqa: SLF001
    assert value == pytest.approx(likelihood, rel=1e-10)
    fit = fit_spend(days, mean)
    fitter.params_ = dict(zip(("p", "q", "v"), fit.estimate.parameters, strict=True))
    more = np.append(days, 0), np.append(mean, 0)
    theirs = fitter.conditional_expected_average_profit(*more)
    assert expected_value(fit, *more, 0, 5) == pytest.approx(np.asarray(theirs), rel=1e-9)


def test_gradient_is_the_slope_of_the_likelihood(exact):
    likelihood = likelihood_of(*exact)
    for parameters in (CDNOW, (0.4, 0.7, 900.0)):
        at = np.log(parameters)
        slopes = [
            (likelihood(at + step)[0] - likelihood(at - step)[0]) / 2e-5
            for step in 1e-5 * np.eye(3)
        ]
        # Central differences over 1e-5 are good to about 1e-8 of the value.
        value, gradient = likelihood(at)
        assert gradient == pytest.approx(slopes, rel=1e-6, abs=1e-8 * abs(value))


def test_planted_parameters_are_found_within_two_standard_errors():
    inside = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        days = rng.geometric(0.4, 3000).astype(float)
        fit = fit_spend(days, simulate_spend(CDNOW, days, rng))
        inside += (
            np.abs(fit.estimate.parameters - CDNOW) <= 2 * fit.estimate.standard_errors
        ).sum()
    # What the measurements ask for; by the normal law 95.4 % are inside.
    assert inside >= 0.9 * 50 * 3


def test_a_tail_without_a_mean_falls_back_to_means_drawn_to_the_segment():
    rng = np.random.default_rng(0)
    days = rng.geometric(0.4, 2000).astype(float)
    mean = simulate_spend((6.0, 0.8, 15.0), days, rng)
    fit = fit_spend(days, mean)
    assert fit.estimate.parameters[1] < 1
    assert not fit.is_identified
    value = expected_value(fit, np.array([0.0, 5.0]), np.array([0.0, 40.0]), 7.0, 5.0)
    assert value == pytest.approx([fit.mean, (5 * 40 + 5 * fit.mean) / 10])


def test_a_mean_without_a_bound_is_not_used():
    """Few customers of a heavy tail: q is near 1, and its error reaches below."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        days = np.concatenate([np.zeros(35), rng.geometric(0.5, 25)]).astype(float)
        mean = np.where(days > 0, rng.lognormal(3.5, 1.3, 60), 0)
        fit = fit_spend(days, mean)
        value = expected_value(fit, np.zeros(1), np.zeros(1), 7.0, 5.0)
        assert value[0] < 5 * fit.mean


@pytest.mark.parametrize(
    ("days", "mean"),
    [([], []), ([0, 0], [0, 0]), ([3, 2], [-4, 0]), ([2] * 60, [10] * 60), ([4], [3])],
)
def test_data_that_tell_nothing_are_flagged(days, mean):
    fit = fit_spend(days, mean)
    assert not fit.is_identified
    value = expected_value(fit, np.array([0.0, 2.0]), np.array([0.0, -3.0]), 20.0, 5.0)
    segment = fit.mean if fit.persons else 20.0
    assert value == pytest.approx([segment, 5 * segment / 7])


def test_margin_rates_are_drawn_to_the_segment_by_money():
    margin, sales = np.array([0.0, 40.0, -10.0, -5.0]), np.array([0.0, 100.0, 100.0, -20.0])
    rates = shrunk_rate(margin, sales, 0.3, 200.0)
    assert rates == pytest.approx([0.3, 100 / 300, 50 / 300, 55 / 200])
    # Without any weight the person's own, and the segment's where it has none.
    assert shrunk_rate(margin, sales, 0.3, 0.0) == pytest.approx([0.3, 0.4, -0.1, 0.3])


@pytest.mark.parametrize("mean", [[float("inf")], [1.0, 2.0]])
def test_what_cannot_be_is_refused(mean):
    with pytest.raises(ValueError, match=r"not finite|equally long"):
        fit_spend([1.0], mean)
