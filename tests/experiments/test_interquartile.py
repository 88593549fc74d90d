"""Interquartile means, their bootstrap intervals, paired differences and curves against closed forms and simulation."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from cosim.errors import InputError
from cosim.experiments.statistics import curve, interquartile_mean, interval, paired_difference, smoothed
from cosim.kernel.rng import stream


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7.0], 7.0),
        ([1.0, 2.0, 3.0], 2.0),
        ([1.0, 2.0, 4.0, 100.0], 3.0),
        ([-1e9, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1e9], 3.5),
        ([0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 2.0, 50.0], 1.0),
    ],
)
def test_known_means(values: list[float], expected: float) -> None:
    """A quarter of the values, rounded down, is left out at each end, and the rest averaged."""
    assert interquartile_mean(np.array(values)) == pytest.approx(expected)


def test_order_and_outliers_do_not_matter() -> None:
    """Shuffled scores, and an outlier twice as wild, have the same interquartile mean; strata are pooled."""
    scores = stream(1, "scores").normal(size=(10, 4))
    mean = interquartile_mean(scores)
    assert interquartile_mean(stream(2, "order").permutation(scores.ravel())) == pytest.approx(mean)
    wild = scores.copy()
    wild[wild == wild.max()] *= 1e6
    assert interquartile_mean(wild) == pytest.approx(mean)


def test_none_and_one() -> None:
    """None, and any that is not finite, is NaN; a single repetition has no interval, and equal ones a point."""
    assert math.isnan(interquartile_mean(np.array([])))
    alone = interval(np.array([3.0]), stream(1, "b"))
    assert alone.value == 3.0
    assert math.isnan(alone.low)
    broken = interval(np.array([*range(9), math.nan]), stream(1, "b"))
    assert math.isnan(broken.value)
    assert math.isnan(broken.low)
    same = interval(np.full(5, 2.0), stream(1, "b"))
    assert (same.low, same.value, same.high) == (2.0, 2.0, 2.0)


def test_same_stream_same_interval() -> None:
    """The interval is a function of scores and stream alone, and moves with the scores."""
    scores = stream(1, "scores").normal(size=8)
    first, again = interval(scores, stream(0, "b")), interval(scores, stream(0, "b"))
    moved = interval(10.0 + 3.0 * scores, stream(0, "b"))
    assert first == again
    assert (moved.low, moved.high) == pytest.approx((10.0 + 3.0 * first.low, 10.0 + 3.0 * first.high))
    assert first.low < first.value < first.high


@pytest.mark.parametrize(
    ("repetitions", "strata", "shared", "coverage"),
    [
        (5, 1, 0.0, 0.89),
        (10, 7, 1.0, 0.93),
        pytest.param(10, 1, 0.0, 0.92, marks=pytest.mark.long),
        pytest.param(10, 20, 0.0, 0.91, marks=pytest.mark.long),
    ],
)
def test_coverage(repetitions: int, strata: int, shared: float, coverage: float) -> None:
    """Of 95 % intervals the share that holds the true value is what the docstring says."""
    rng = stream(3, f"coverage/{repetitions}/{strata}")
    spread = 0.3 if shared else 1.0
    held = []
    for _ in range(600):
        scores = shared * rng.normal(size=(repetitions, 1)) + spread * rng.normal(size=(repetitions, strata))
        one = interval(scores, rng, resamples=300)
        held.append(one.low <= 0.0 <= one.high)  # a symmetric distribution: its interquartile mean is its centre
    assert np.mean(held) == pytest.approx(coverage, abs=3.0 * math.sqrt(coverage * (1.0 - coverage) / len(held)))


def test_strata_are_kept() -> None:
    """Strata far apart do not widen the interval, as they would if scores were resampled over them."""
    noise = stream(4, "noise").normal(size=(10, 5))
    apart = interval(noise + np.array([0.0, 0.0, 0.0, 100.0, -100.0]), stream(0, "b"))
    assert apart.high - apart.low < 2.0
    pooled = interval((noise + np.array([0.0, 0.0, 0.0, 100.0, -100.0])).ravel(), stream(0, "b"))
    assert pooled.high - pooled.low > 3.0 * (apart.high - apart.low)


def test_width_of_the_interval() -> None:
    """Of many normal scores its half width is 1.96 standard errors of the trimmed mean."""
    size = 4000
    one = interval(stream(5, "scores").normal(size=size), stream(0, "b"))
    cut = norm.ppf(0.75)
    middle = 0.5 - 2.0 * cut * norm.pdf(cut)  # second moment within the quartiles
    variance = (middle + 2.0 * 0.25 * cut**2) / 0.25 / size  # of a trimmed mean (Tukey and McLaughlin 1963)
    assert one.half_width == pytest.approx(1.96 * math.sqrt(variance), rel=0.08)


def test_pairs_cancel_what_they_share() -> None:
    """A small constant effect under a large seed effect is found by pairs, and by nothing else."""
    seeds = 100.0 * stream(6, "seeds").normal(size=10)
    effect = 0.1 + 0.01 * stream(6, "effect").normal(size=10)
    paired = paired_difference(seeds + effect, seeds, stream(0, "b"), unit="s")
    assert paired.unit == "s"
    assert 0.08 < paired.low <= paired.value <= paired.high < 0.12
    assert interval(seeds + effect, stream(0, "b")).half_width > 10.0


def test_no_pairs() -> None:
    """Scores of other shapes are refused."""
    with pytest.raises(InputError, match="no pairs"):
        paired_difference(np.zeros(3), np.zeros(4), stream(0, "b"))


def test_curve_is_the_interval_at_each_point() -> None:
    """Each point of a curve has the interquartile mean and the interval of its column, whatever the blocks."""
    values = stream(7, "curves").normal(size=(10, 700)) + np.linspace(0.0, 5.0, 700)
    whole = curve(values, stream(0, "b"))
    assert whole.value[123] == pytest.approx(interquartile_mean(values[:, 123]))
    column = curve(values[:, 123:124], stream(0, "b"))
    assert (whole.low[123], whole.high[123]) == pytest.approx((column.low[0], column.high[0]))
    assert (whole.low <= whole.value).all()
    assert (whole.value <= whole.high).all()
    alone = curve(values[:1], stream(0, "b"))
    assert (alone.low == values[0]).all()
    assert (alone.high == values[0]).all()


@pytest.mark.parametrize("window", [1, 3, 5, 9])
def test_smoothing(window: int) -> None:
    """Each point is the mean of the last `window` ones, of fewer at the start."""
    values = np.array([[1.0, 5.0, 2.0, 8.0, 0.0], [0.0, 1.0, 2.0, 3.0, 4.0]])
    expected = [[row[max(0, end - window) : end].mean() for end in range(1, 6)] for row in values]
    assert smoothed(values, window) == pytest.approx(np.array(expected))
