"""Intervals from one long run."""

import math

import numpy as np
import pytest

from cosim.trace.metrics.statistics import batch_means, batch_quantile, batch_ratio, batch_total


def ar1(rng: np.random.Generator, runs: int, length: int, phi: float) -> np.ndarray:
    """Stationary AR(1) with mean 5 and unit variance, (runs, length)."""
    noise = rng.standard_normal((runs, length)) * math.sqrt(1.0 - phi * phi)
    state, series = rng.standard_normal(runs), np.empty((runs, length))
    for step in range(length):
        state = phi * state + noise[:, step]
        series[:, step] = state
    return series + 5.0


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_batch_means_cover_the_mean_of_an_ar1_process(confidence: float) -> None:
    """Intervals of 2000 runs of an AR(1) process (phi 0.8, 20 batches of 200) cover its mean as often as they claim.

    The share of hits is binomial: it lies within 4 standard deviations of the claimed confidence with probability
    0.99994. Batches of 200 are 22 times the sum of autocorrelations, whose leftover costs less than one of them.
    """
    runs = 2000
    series = ar1(np.random.default_rng(7), runs, 4000, 0.8)
    estimates = [batch_means(values, 20, confidence) for values in series]
    share = np.mean([estimate.low <= 5.0 <= estimate.high for estimate in estimates])
    assert abs(share - confidence) < 4.0 * math.sqrt(confidence * (1.0 - confidence) / runs)


def test_ratio_intervals_cover() -> None:
    """95 % intervals of a ratio of sums cover the true ratio in 2000 runs within 4 binomial standard deviations."""
    rng, hits, runs = np.random.default_rng(8), 0, 2000
    for _ in range(runs):
        counts = rng.poisson(200, 20).astype(float)
        late = rng.binomial(counts.astype(int), 0.3).astype(float)
        estimate = batch_ratio(late, counts, 0.95)
        hits += estimate.low <= 0.3 <= estimate.high
    assert abs(hits / runs - 0.95) < 4.0 * math.sqrt(0.95 * 0.05 / runs)


def test_quantile_intervals_cover() -> None:
    """90 % intervals of the 0.9 quantile of an exponential cover it in 1000 runs at least as often as they claim.

    They may cover more: deviations are taken from the overall quantile. Bound: 4 binomial standard deviations below.
    """
    rng, hits, runs = np.random.default_rng(9), 0, 1000
    true = -math.log(0.1)
    for _ in range(runs):
        values = rng.exponential(size=(20, 200))
        quantiles = np.quantile(values, 0.9, axis=1)
        estimate = batch_quantile(float(np.quantile(values, 0.9)), quantiles, np.full(20, 200.0), 0.9, 0.9)
        hits += estimate.low <= true <= estimate.high
    assert hits / runs > 0.9 - 4.0 * math.sqrt(0.9 * 0.1 / runs)


def test_the_interval_by_hand() -> None:
    """Means 1, 2, 3 of three batches: 2 -+ t_2(0.975) 1 / sqrt(3), t_2(0.975) = 4.302653."""
    estimate = batch_means(np.array([0.5, 1.5, 1.0, 3.0, 2.0, 4.0]), 3, 0.95, "s")
    assert estimate.value == 2.0
    assert estimate.half_width == pytest.approx(4.302653 / math.sqrt(3.0), rel=1e-6)
    assert estimate.unit == "s"


def test_a_total_is_its_mean_times_the_batches() -> None:
    """The interval of a sum over k batches is k times that of their mean."""
    amounts = np.array([3.0, 5.0, 4.0, 8.0])
    total, mean = batch_total(amounts, 0.9), batch_means(amounts, 4, 0.9)
    assert total.value == 20.0
    assert total.half_width == pytest.approx(4 * mean.half_width)


def test_too_little_has_no_interval() -> None:
    """Fewer values than batches, nothing to divide by, or batches too small for their quantile: no interval."""
    assert math.isnan(batch_means(np.array([1.0, 2.0]), 5, 0.95).low)
    assert math.isnan(batch_means(np.array([]), 5, 0.95).value)
    assert math.isnan(batch_ratio(np.zeros(5), np.zeros(5), 0.95).value)
    few = batch_quantile(3.0, np.array([3.0, 4.0]), np.array([50.0, 99.0]), 0.99, 0.95)
    assert few.value == 3.0
    assert math.isnan(few.low)
