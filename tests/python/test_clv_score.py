"""The scorer: what it adds up, which fit is whose, and shops that tell nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clv_data import simulate_histories, simulate_spend
from cx_warehouse.clv.counts import expected_orders, fit_counts
from cx_warehouse.clv.score import Customers, Options, score
from cx_warehouse.clv.spend import expected_value, fit_spend

MONTH = 365 / 12


def shop(count, seed=0, parameters=(0.8, 30.0, 0.9, 2.0), model="mbg_nbd"):
    rng = np.random.default_rng(seed)
    age = rng.integers(30, 700, count).astype(float)
    x, t_x = simulate_histories(parameters, age, model, rng)
    value = np.zeros(count)
    value[x > 0] = simulate_spend((6.0, 3.5, 15.0), x[x > 0], rng)
    sales = (x + 1) * np.where(x > 0, value, 30.0)
    margin = sales * rng.uniform(-0.1, 0.6, count)
    return Customers(x, t_x, age, value, margin, sales, x + 1)


def rows(customers, chosen):
    columns = {
        field.name: None if column is None else np.asarray(column)[chosen]
        for field in dataclasses.fields(customers)
        for column in [getattr(customers, field.name)]
    }
    return Customers(**columns)


def columns_of(customers):
    return customers.frequency, customers.recency_days, customers.age_days


def numbers(scores):
    return np.vstack(
        [
            scores.probability_alive,
            scores.expected_orders_90d,
            scores.expected_orders_365d,
            scores.expected_order_value,
            scores.predicted_clv_signed,
            scores.predicted_clv,
            scores.predicted_first_year,
        ]
    )


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd"])
def test_value_is_the_discounted_margin_of_each_month(model):
    customers = shop(3000)
    scores = score(customers, Options(model=model, horizon_months=7, monthly_discount_rate=0.02))
    history = customers.frequency, customers.recency_days, customers.age_days
    counts, spend = (
        fit_counts(*history, model),
        fit_spend(customers.frequency, customers.monetary_value),
    )
    ends = MONTH * np.arange(8)
    months = np.diff(expected_orders(counts.parameters, *history, ends, model), axis=1)
    value = expected_value(spend, customers.frequency, customers.monetary_value, 0, 5)
    order_value = customers.net_sales.sum() / customers.orders.sum()
    segment_rate = customers.margin.sum() / customers.net_sales.sum()
    rate = (customers.margin + 5 * order_value * segment_rate) / (
        customers.net_sales + 5 * order_value
    )
    expected = (months / 1.02 ** np.arange(1, 8)).sum(axis=1) * value * rate
    # Other horizons have other nodes: as exact as the quadrature.
    assert scores.predicted_clv_signed == pytest.approx(expected, rel=1e-7)
    assert (scores.predicted_clv == np.maximum(scores.predicted_clv_signed, 0)).all()
    shown = expected_orders(counts.parameters, *history, [90, 365], model)
    assert scores.expected_orders_90d == pytest.approx(shown[:, 0], rel=1e-7)
    assert scores.expected_orders_365d == pytest.approx(shown[:, 1], rel=1e-7)
    assert scores.expected_order_value == pytest.approx(value, rel=1e-12)
    assert scores.is_identified.all()


def test_what_is_left_of_the_first_year_is_discounted_to_the_first_order():
    customers = shop(2000)
    scores = score(customers, Options(monthly_discount_rate=0.02))
    names = ("r", "alpha", "a", "b")
    parameters = tuple(scores.fits[0].parameters[name] for name in names)
    margin = scores.predicted_clv_signed / scores.discounted_orders
    for place in (*range(40), *np.flatnonzero(np.abs(customers.age_days - 365) < 2)):
        age = customers.age_days[place]
        expected = 0.0
        for month in range(1, 13):
            between = [max(0.0, MONTH * month - age), max(0.0, MONTH * (month - 1) - age)]
            one = [np.atleast_1d(column[place]) for column in columns_of(customers)]
            until = expected_orders(parameters, *one, between)[0]
            expected += (until[0] - until[1]) / 1.02**month
        assert scores.predicted_first_year[place] == pytest.approx(
            expected * margin[place], rel=1e-6, abs=1e-12
        )
    assert (scores.predicted_first_year[customers.age_days >= 365] == 0).all()
    assert (score(customers, Options(first_months=0)).predicted_first_year == 0).all()
    with pytest.raises(ValueError, match="first_months >= 0"):
        Options(first_months=-1)


def test_without_discount_a_year_of_months_is_the_year():
    scores = score(shop(2000), Options(monthly_discount_rate=0.0))
    one_margin = scores.predicted_clv_signed / scores.expected_orders_365d
    again = score(shop(2000), Options(monthly_discount_rate=0.0, horizon_months=1))
    # The margin of an order is the same whatever the horizon.
    month = expected_orders(
        tuple(scores.fits[0].parameters[name] for name in ("r", "alpha", "a", "b")),
        shop(2000).frequency,
        shop(2000).recency_days,
        shop(2000).age_days,
        [MONTH],
    )[:, 0]
    assert again.predicted_clv_signed == pytest.approx(month * one_margin, rel=1e-7)


def test_one_month_of_any_length_gives_the_orders_within_it():
    options = Options(horizon_months=1, monthly_discount_rate=0.0, days_per_month=90.0)
    scores = score(shop(2000), options)
    assert scores.discounted_orders == pytest.approx(scores.expected_orders_90d, rel=1e-12)
    discounted = score(shop(2000), dataclasses.replace(options, monthly_discount_rate=0.25))
    assert discounted.discounted_orders == pytest.approx(0.8 * scores.discounted_orders)
    with pytest.raises(ValueError, match="days_per_month > 0"):
        Options(days_per_month=0.0)


def test_small_groups_are_scored_by_the_fit_of_all_customers():
    customers = shop(3000)
    group = np.repeat(["ads", "mail", "shop"], [1500, 1460, 40])
    grouped = dataclasses.replace(customers, group=group)
    scores = score(grouped, Options(group_min_customers=100))
    assert [fit.group for fit in scores.fits] == ["ads", "mail", None]
    assert [fit.customer_count for fit in scores.fits] == [1500, 1460, 3000]
    assert (scores.fit == np.repeat([0, 1, 2], [1500, 1460, 40])).all()
    pooled = score(customers, Options(group_min_customers=100))
    # A product of matrices rounds by their shape.
    assert numbers(scores)[:, 2960:] == pytest.approx(numbers(pooled)[:, 2960:], rel=1e-12)
    alone = score(rows(customers, slice(0, 1500)))
    assert (numbers(scores)[:, :1500] == numbers(alone)).all()


def test_a_group_of_unknown_costs_is_not_worth_nothing():
    customers = shop(3000)
    is_unknown = np.arange(3000) < 1500
    hidden = {
        name: np.where(is_unknown, 0, getattr(customers, name))
        for name in ("margin", "net_sales", "orders")
    }
    group = np.where(is_unknown, "market", "own")
    grouped = dataclasses.replace(customers, group=group, **hidden)
    scores = score(grouped, Options(group_min_customers=100))
    assert [(fit.group, fit.customer_count) for fit in scores.fits] == [("own", 1500), (None, 3000)]
    assert (scores.fit == np.where(is_unknown, 1, 0)).all()
    assert (scores.predicted_clv[is_unknown] > 0).all()


def test_order_of_customers_changes_nothing():
    customers = dataclasses.replace(shop(3000), group=np.arange(3000) % 3)
    options = Options(group_min_customers=500)
    order = np.random.default_rng(9).permutation(3000)
    there, back = score(customers, options), score(rows(customers, order), options)
    assert there.fits == back.fits
    assert (numbers(there)[:, order] == numbers(back)).all()


def test_parameters_come_with_their_errors():
    (fit,) = score(shop(3000)).fits
    assert list(fit.parameters) == [
        name
        for parameter in ("r", "alpha", "a", "b", "p", "q", "v")
        for name in (parameter, f"{parameter}_standard_error")
    ]
    assert all(value is not None and value > 0 for value in fit.parameters.values())
    assert fit.is_converged
    assert fit.is_dropout_identified
    assert fit.is_identified


def columns(count, **changed):
    usual = {
        "frequency": 0,
        "recency_days": 0,
        "age_days": 100,
        "monetary_value": 0,
        "margin": 4,
        "net_sales": 10,
        "orders": 1,
    }
    return Customers(
        **{name: np.full(count, value, dtype=float) for name, value in (usual | changed).items()}
    )


REPEATED = {"frequency": 3, "recency_days": 60, "monetary_value": 20, "net_sales": 70, "orders": 4}


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd"])
@pytest.mark.parametrize(
    "customers",
    [
        pytest.param(columns(50), id="one purchase each"),
        pytest.param(columns(50, age_days=0), id="all today"),
        pytest.param(columns(50, **REPEATED), id="identical"),
        pytest.param(columns(3, **REPEATED), id="three"),
        pytest.param(columns(1), id="one"),
        pytest.param(columns(50, margin=0, net_sales=0), id="nothing earned"),
        pytest.param(columns(50, **REPEATED | {"margin": -9}), id="every order loses"),
        pytest.param(columns(50, margin=-9, net_sales=-3), id="refunded beyond"),
        pytest.param(columns(50, orders=0), id="orders unknown"),
    ],
)
def test_shops_that_tell_nothing_are_predicted_and_flagged(customers, model):
    scores = score(customers, Options(model=model))
    assert not scores.is_identified.any()
    assert np.isfinite(numbers(scores)).all()
    assert (numbers(scores)[[0, 1, 2, 3, 5]] >= 0).all()
    (fit,) = scores.fits
    assert not fit.is_identified
    assert fit.customer_count == len(customers.frequency)


def test_losses_are_signed_in_one_column_and_0_in_the_other():
    customers = shop(2000)
    scores = score(dataclasses.replace(customers, margin=-np.abs(customers.margin)))
    assert (scores.predicted_clv_signed < 0).all()
    assert (scores.predicted_clv == 0).all()


def test_nobody_is_no_error():
    for group in (None, []):
        scores = score(dataclasses.replace(columns(0), group=group))
        assert numbers(scores).shape == (7, 0)
        assert scores.fits == []


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="group has shape"):
        score(dataclasses.replace(columns(3), group=["a"]))
    with pytest.raises(ValueError, match="margin holds a number that is not finite"):
        score(columns(3, margin=float("nan")))
    with pytest.raises(ValueError, match="shrinkage_orders > 0"):
        Options(shrinkage_orders=0)
