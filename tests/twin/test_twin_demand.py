"""Forecasts of arrival rates, queues and links."""

import numpy as np
import pytest
from physics import seen

from cosim.scenario.twin_forecast import HoltDemand, SmoothedDemand
from cosim.twin.demand import DemandForecaster, queue_ahead

THREE = np.arange(3)


def test_holt_is_exact_on_a_line():
    """Holt's method with weights of one continues a straight line exactly, at every horizon."""
    made = DemandForecaster(HoltDemand(kind="holt", weight=1.0, trend_weight=1.0))
    for k in range(6):
        made.observe(THREE, np.array([2.0, 0.0, 10.0]) + np.array([1.0, 3.0, 0.5]) * k, 2.0)
    for ahead in (1.0, 4.0):
        expected = (np.array([2.0, 0.0, 10.0]) + np.array([1.0, 3.0, 0.5]) * (5 + ahead)) / 2
        assert np.allclose(made.expected(THREE, ahead).rate_per_s, expected)
        seen(made.expected(THREE, ahead).rate_per_s, expected)


def test_smoothed_is_the_weighted_sum():
    """The plain level is the sum of past rates with geometric weights."""
    made = DemandForecaster(SmoothedDemand(weight=0.3))
    rates = np.random.default_rng(1).uniform(0, 5, (12, 3))
    for rate in rates:
        made.observe(THREE, rate, 1.0)
    weights = np.append(0.7**11, 0.3 * 0.7 ** np.arange(10, -1, -1))
    assert np.allclose(made.expected(THREE).rate_per_s, weights @ rates)
    seen(made.expected(THREE).rate_per_s, weights @ rates)


def test_deviation_bounds_what_came():
    """Epsilon is at least every deviation in the window, and the largest of them; S1 eq 9 holds by it."""
    made = DemandForecaster(SmoothedDemand(window=10))
    rng = np.random.default_rng(2)
    missed = []
    for _ in range(60):
        rate = rng.poisson(4.0, 3).astype(float)
        if missed or made.expected(THREE).rate_per_s.any():
            missed.append(np.abs(rate - made.expected(THREE).rate_per_s).max())
        made.observe(THREE, rate, 1.0)
    assert made.deviation_per_s == pytest.approx(max(missed[-10:]))
    seen(made.deviation_per_s, max(missed[-10:]))
    assert np.allclose(made.expected(THREE).most_per_s, made.expected(THREE).rate_per_s + max(missed[-10:]))


def test_deviation_as_a_quantile_holds_most():
    """Epsilon as the 90 % quantile of Poisson rates bounds the next interval's in at least 85 % of 3,000 cases."""
    made = DemandForecaster(SmoothedDemand(window=50, quantile=0.9))
    rng, many, held = np.random.default_rng(3), np.arange(100), []
    for k in range(130):
        rate = rng.poisson(6.0, 100).astype(float)
        if k >= 100:
            told = made.expected(many)
            held.append(np.abs(rate - told.rate_per_s) <= told.deviation_per_s)
        made.observe(many, rate, 1.0)
    assert np.mean(held) > 0.85


def test_unknown_and_forgotten():
    """An entity never seen, or forgotten, is expected at the mean of the others; at 0 where there is none."""
    made = DemandForecaster(SmoothedDemand())
    assert made.expected(np.array([5])).rate_per_s.tolist() == [0.0]
    made.observe(THREE, np.array([1.0, 2.0, 6.0]), 1.0)
    made.forget(np.array([2, 900]))
    assert made.expected(np.array([0, 2, 77])).rate_per_s.tolist() == [1.0, 1.5, 1.5]


def test_queue():
    """A queue grows by arrivals less service and never below 0."""
    later = queue_ahead(np.array([5.0, 5.0]), np.array([3.0, 0.0]), np.array([1.0, 4.0]), np.array([2.0, 2.0]))
    assert later.tolist() == [9.0, 0.0]
