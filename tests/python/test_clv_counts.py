"""Counts models: CDNOW, `lifetimes`, `clvkit`, exact integrals, simulated customers, extremes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import special

from clv_data import cdnow, simulate_histories
from cx_warehouse.clv.counts import (
    Likelihood,
    expected_orders,
    fit_counts,
    histories_of,
    orders_if_alive,
    probability_alive,
)

MODELS = ("bg_nbd", "mbg_nbd")
# Fader, Hardie and Lee (2005), and the MBG fit of the design page, in weeks.
CDNOW_BG = (0.243, 4.414, 0.793, 2.426)
CDNOW_MBG = (0.525, 6.183, 0.891, 1.614)


@pytest.fixture(scope="module")
def sample():
    return cdnow()


@pytest.fixture(scope="module")
def exact():
    """Histories that are summaries of no rounded data: x up to 40 in three years."""
    rng = np.random.default_rng(5)
    age = rng.uniform(1, 1000, 400)
    x = rng.integers(0, 41, 400).astype(float)
    t_x = np.where(x > 0, age * rng.uniform(0.01, 1, 400), 0.0)
    return x, t_x, age


# The published digits: half a unit of the last.
@pytest.mark.parametrize(
    ("model", "published", "log_likelihood"),
    [("bg_nbd", CDNOW_BG, -9582.4), ("mbg_nbd", CDNOW_MBG, -9582.1)],
)
def test_cdnow_has_the_published_parameters(sample, model, published, log_likelihood):
    fit = fit_counts(sample["x"], sample["t_x"] / 7, sample["age"] / 7, model)
    assert len(sample) == 2357
    assert fit.parameters == pytest.approx(published, abs=0.0005)
    assert fit.estimate.log_likelihood == pytest.approx(log_likelihood, abs=0.05)
    assert fit.is_identified


def test_cdnow_in_days_has_another_alpha_and_density_alone(sample):
    weeks = fit_counts(sample["x"], sample["t_x"] / 7, sample["age"] / 7, "bg_nbd")
    days = fit_counts(sample["x"], sample["t_x"], sample["age"], "bg_nbd")
    assert days.parameters[1] == pytest.approx(30.895, abs=0.0005)
    assert days.estimate.log_likelihood == pytest.approx(-14363.53, abs=0.005)
    # Time is scaled to the longest age inside: the same search, but for rounding.
    ratio = days.estimate.parameters / weeks.estimate.parameters
    assert ratio == pytest.approx([1, 7, 1, 1], rel=1e-6)
    errors = days.estimate.standard_errors / weeks.estimate.standard_errors
    assert errors == pytest.approx([1, 7, 1, 1], rel=1e-5)


def test_cdnow_customers_have_the_published_expectations(sample):
    fit = fit_counts(sample["x"], sample["t_x"] / 7, sample["age"] / 7, "bg_nbd")
    someone = ([2, 0], [30.43, 0], [38.86, 38.86])
    # Half a unit of the last digit, and what rounding t_x and T to two digits may do to 1.226.
    bought = expected_orders(fit.parameters, *someone, [39], "bg_nbd")
    assert bought[:, 0] == pytest.approx([1.226, 0.1948], abs=0.0005)
    assert bought[1, 0] == pytest.approx(0.1948, abs=0.00005)
    bought = expected_orders(CDNOW_MBG, *someone, [39])
    assert bought[:, 0] == pytest.approx([1.2630, 0.1540], abs=0.00005)
    alive = probability_alive(CDNOW_MBG, np.zeros(1), np.zeros(1), np.array([38.86]))
    assert alive == pytest.approx([0.3897], abs=0.00005)


def lifetimes_fitter(model, parameters):
    import lifetimes  # noqa: PLC0415 - slow, and needed here only

    fitter = lifetimes.BetaGeoFitter() if model == "bg_nbd" else lifetimes.ModifiedBetaGeoFitter()
    fitter.params_ = dict(zip(("r", "alpha", "a", "b"), parameters, strict=True))
    return fitter


# Double precision all through; the closed forms lose most where 2F1 nearly cancels.
@pytest.mark.parametrize("model", MODELS)
def test_lifetimes_says_the_same(exact, model):
    x, t_x, age = exact
    fitter = lifetimes_fitter(model, CDNOW_MBG)
    others = fitter._negative_log_likelihood(  # noqa: SLF001
        np.log(CDNOW_MBG), x, t_x, age, np.ones(len(x)), 0
    )
    ours, _ = Likelihood(histories_of(x, t_x, age), model).with_dropout(np.log(CDNOW_MBG))
    assert -ours / len(x) == pytest.approx(others, rel=1e-10)
    alive = fitter.conditional_probability_alive(x, t_x, age)
    assert probability_alive(CDNOW_MBG, x, t_x, age, model) == pytest.approx(alive, rel=1e-9)
    bought = fitter.conditional_expected_number_of_purchases_up_to_time(90, x, t_x, age)
    ours = expected_orders(CDNOW_MBG, x, t_x, age, [90], model)[:, 0]
    assert ours == pytest.approx(bought, rel=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_clvkit_says_the_same(exact, model):
    from clvkit.clv import bgnbd, mbgnbd  # noqa: PLC0415 - slow, and needed here only

    x, t_x, age = exact
    other = bgnbd if model == "bg_nbd" else mbgnbd
    data = {"frequency": x, "recency": t_x, "T": age}
    likelihood = other._log_likelihood(*CDNOW_MBG, **data).sum()  # noqa: SLF001
    ours, _ = Likelihood(histories_of(x, t_x, age), model).with_dropout(np.log(CDNOW_MBG))
    assert ours == pytest.approx(likelihood, rel=1e-10)
    alive = other._probability_alive(*CDNOW_MBG, **data)  # noqa: SLF001
    assert probability_alive(CDNOW_MBG, x, t_x, age, model) == pytest.approx(alive, rel=1e-9)
    bought = other._conditional_expected_purchases(*CDNOW_MBG, 365, **data)  # noqa: SLF001
    ours = expected_orders(CDNOW_MBG, x, t_x, age, [365], model)[:, 0]
    assert ours == pytest.approx(bought, rel=1e-5)


def test_closed_form_of_the_definitions_is_the_quadrature(exact):
    x, _, age = exact
    r, alpha, a, b = CDNOW_MBG
    z = 90 / (alpha + age + 90)
    for model, total in (("bg_nbd", a + b + x - 1), ("mbg_nbd", a + b + x)):
        inner = special.hyp2f1(total - r - x, a - 1, total, z) * (1 - z) ** (a - 1)
        closed = total / (a - 1) * (1 - inner)
        ours = orders_if_alive(CDNOW_MBG, x, age, np.array([90.0]), model)[:, 0]
        assert ours == pytest.approx(closed, rel=1e-7)


# Gauss-Jacobi nodes of the density itself: 200 are exact, as w(p) is smooth.
@pytest.mark.parametrize("a", [0.05, 0.999999, 1.0, 1.000001, 3.0, 150.0])
@pytest.mark.parametrize("b", [0.3, 2.0, 300.0])
def test_quadrature_is_exact_where_the_closed_form_fails(a, b):
    r, alpha, age, t = 0.5, 20.0, 100.0, 365.0
    for x in (0, 3, 200):
        kept, time = b + x + 1, t / (alpha + age)
        nodes, weights = special.roots_jacobi(200, kept - 1, a - 1)
        p = (1 + nodes) / 2
        expected = weights / weights.sum() @ (-np.expm1(-(r + x) * np.log1p(p * time)) / p)
        ours = orders_if_alive(
            (r, alpha, a, b), np.array([float(x)]), np.array([age]), np.array([t])
        )
        assert ours[0, 0] == pytest.approx(expected, rel=1e-7), (x, a, b)


@pytest.mark.parametrize("model", MODELS)
def test_gradient_is_the_slope_of_the_likelihood(exact, model):
    likelihood = Likelihood(histories_of(*exact), model)
    # Central differences over 1e-5 are good to about 1e-8 of the value.
    for function, at in (
        (likelihood.with_dropout, np.log([0.7, 9.0, 0.6, 1.9])),
        (likelihood.with_dropout, np.log([3.0, 0.2, 40.0, 0.1])),
        (likelihood.without_dropout, np.log([0.7, 9.0])),
    ):
        slopes = [
            (function(at + step)[0] - function(at - step)[0]) / 2e-5
            for step in 1e-5 * np.eye(len(at))
        ]
        value, gradient = function(at)
        assert gradient == pytest.approx(slopes, rel=1e-6, abs=1e-8 * abs(value))


def test_order_of_customers_changes_nothing(sample):
    shuffled = sample.sample(frac=1, random_state=3)
    one = fit_counts(sample["x"], sample["t_x"], sample["age"])
    other = fit_counts(shuffled["x"], shuffled["t_x"], shuffled["age"])
    assert one.parameters == other.parameters
    assert (one.estimate.standard_errors == other.estimate.standard_errors).all()


# What the measurements ask for; by the normal law 95.4 % are inside.
@pytest.mark.parametrize(
    ("model", "truth"), [("bg_nbd", (0.6, 30.0, 0.8, 2.5)), ("mbg_nbd", (0.8, 30.0, 0.9, 2.0))]
)
def test_planted_parameters_are_found_within_two_standard_errors(model, truth):
    inside = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        age = rng.integers(100, 730, 4000).astype(float)
        fit = fit_counts(*simulate_histories(truth, age, model, rng), age, model)
        assert fit.is_identified
        inside += (
            np.abs(fit.estimate.parameters - truth) <= 2 * fit.estimate.standard_errors
        ).sum()
    assert inside >= 0.9 * 50 * 4


def test_without_dropout_in_the_data_none_is_identified():
    rng = np.random.default_rng(1)
    age = rng.uniform(100, 700, 3000)
    fit = fit_counts(*simulate_histories((1.0, 50.0, 1e-9, 1.0), age, "bg_nbd", rng), age, "bg_nbd")
    assert not fit.is_dropout_identified
    assert not fit.is_identified
    assert fit.parameters[2:] == (0.0, 1.0)
    # What the NBD says in closed form.
    x, t_x = np.array([0.0, 4.0]), np.array([0.0, 50.0])
    r, alpha = fit.parameters[:2]
    bought = expected_orders(fit.parameters, x, t_x, [200.0, 200.0], [90], "bg_nbd")
    assert bought[:, 0] == pytest.approx((r + x) / (alpha + 200) * 90, rel=1e-12)


EXTREME = [
    (0.5, 30.0, 1.0, 2.0),
    (0.5, 30.0, 1 + 1e-12, 2.0),
    (0.5, 30.0, 0.4, 0.6),
    (0.5, 30.0, 0.4, 0.6 + 1e-12),
    (0.5, 30.0, 500.0, 0.01),
    (0.5, 30.0, 1e6, 1e6),
    (0.5, 30.0, 1e-6, 1e-6),
    (1e6, 1e6, 1e-6, 1e6),
    (1e-6, 1e-3, 1e6, 1e-6),
    (0.5, 1e-3, 0.8, 2.4),
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("parameters", EXTREME)
def test_every_legal_customer_has_a_finite_expectation(model, parameters):
    x = np.array([0, 0, 0, 1, 1, 30, 3000, 3000.0])
    age = np.array([0, 1, 5000, 1, 5000, 100, 3000, 5000.0])
    t_x = np.array([0, 0, 0, 1, 1, 100, 3000, 3000.0])
    horizons = np.array([1e-6, 30, 90, 365, 36500])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bought = expected_orders(parameters, x, t_x, age, horizons, model)
    assert np.isfinite(bought).all()
    assert (bought >= 0).all()
    # More time, more orders, and never more than someone buys who cannot be lost.
    assert (np.diff(bought, axis=1) >= -1e-6 * bought[:, 1:]).all()
    most = (parameters[0] + x[:, None]) / (parameters[1] + age[:, None]) * horizons
    assert (bought <= most * (1 + 1e-6)).all()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "history",
    [
        pytest.param(([0] * 50, [0] * 50, range(50)), id="one purchase each"),
        pytest.param(([0] * 9, [0] * 9, [0] * 9), id="all today"),
        pytest.param(([3] * 500, [60] * 500, [90] * 500), id="identical"),
        pytest.param(([0, 1, 3000], [0, 5, 3000], [9, 9, 3000]), id="three"),
        pytest.param(([1], [5], [5]), id="one"),
    ],
)
def test_data_that_tell_nothing_are_flagged(model, history):
    fit = fit_counts(*history, model)
    assert not fit.is_identified
    bought = expected_orders(fit.parameters, *history, [30, 365], model)
    assert np.isfinite(bought).all()
    assert (bought >= 0).all()


def test_where_no_time_has_passed_nobody_is_expected_to_buy_again():
    for model in MODELS:
        fit = fit_counts([0] * 9, [0] * 9, [0] * 9, model)
        bought = expected_orders(fit.parameters, [0, 0], [0, 0], [0, 9], [30, 365], model)
        assert (bought == 0).all()


def test_a_longer_time_never_shows_fewer_orders():
    """All repeat orders come within days: all horizons are at their limit, but for rounding."""
    rng = np.random.default_rng(0)
    falls = 0
    for _ in range(30):
        age = rng.integers(5, 300, 40).astype(float)
        x = np.zeros(40)
        x[:2] = 1
        fit = fit_counts(x, np.minimum(x * rng.integers(1, 4, 40), age), age)
        horizons = np.array([365.0, 30.0, 90.0, 730.0])
        bought = orders_if_alive(fit.parameters, x, age, horizons)
        assert (np.diff(bought[:, [1, 2, 0, 3]], axis=1) >= 0).all()
        falls += (np.diff(bought[:, [1, 2, 0, 3]], axis=1) == 0).any()
    assert falls


@pytest.mark.parametrize(
    ("history", "message"),
    [
        (([1], [5], [4]), "row 0 is no history"),
        (([0, 0.5], [0, 1], [4, 4]), "row 1 is no history"),
        (([-1], [0], [4]), "row 0 is no history"),
        (([0], [1], [4]), "row 0 is no history"),
        (([1], [0], [4]), "row 0 is no history"),
        (([1], [float("nan")], [4]), "recency holds a number that is not finite"),
        (([1, 2], [3], [4]), "equally long"),
        (([], [], []), "no customers"),
    ],
)
def test_what_cannot_be_is_refused(history, message):
    with pytest.raises(ValueError, match=message):
        fit_counts(*history)


def test_an_unknown_model_is_refused():
    with pytest.raises(ValueError, match="no model 'pareto'"):
        fit_counts([1], [1], [1], "pareto")
