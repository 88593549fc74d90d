"""Statistics of few repetitions of a learner or a policy: interquartile means with bootstrap intervals.

After Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice", NeurIPS 2021: with few and
skewed repetitions the mean of the middle half is steadier than the mean, and intervals come from resampling within the
strata (scenarios, points of a sweep), not over them. Their repetitions are independent from stratum to stratum; here
one agent, or one seed of arrivals, has a score in each, so that repetitions are resampled as a whole.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import trim_mean

from cosim.errors import InputError
from cosim.trace.metrics.statistics import Estimate
from cosim.types import AnyArray, FloatArray

RESAMPLES: Final = 2000
_QUARTER: Final = 0.25
_BLOCK: Final = 2_000_000  # numbers resampled at a time: 16 MB


@dataclass(frozen=True, slots=True)
class Curve:
    """Interquartile means over repetitions, point by point, with their band."""

    value: FloatArray  # (E,), as the others
    low: FloatArray
    high: FloatArray


def interquartile_mean(values: FloatArray) -> float:
    """Return the mean without the lowest and the highest floor(n / 4) of n values; NaN of none.

    Example:
        >>> interquartile_mean(np.array([1.0, 2.0, 4.0, 90.0]))
        3.0
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    return float(trim_mean(flat, _QUARTER)) if len(flat) else float("nan")


def interval(
    scores: FloatArray,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    unit: str = "",
) -> Estimate:
    """Return the interquartile mean of all scores with the percentile interval of a bootstrap over repetitions.

    Every resample draws as many repetitions as there are, with replacement, each with its scores in all strata. A
    percentile interval of few repetitions is a little too narrow: of normal scores, 95 % intervals held the truth in
    92 % of 3,000 cases with 10 repetitions, in 93 % where each had scores in seven strata that differ little, in 91 %
    in 20 independent strata, and in 89 % with 5 repetitions.

    Args:
        scores: (R,) or (R, S), R repetitions in each of S strata.
        rng: generator of the resampling.
        confidence: coverage of the interval.
        resamples: number of resamples.
        unit: unit of the scores.

    Returns:
        The estimate: NaN where a score is not finite, without an interval for a single repetition.

    Example:
        >>> estimate = interval(np.array([0.2, 0.4, 0.5, 0.9]), np.random.default_rng(1))
        >>> round(estimate.value, 2), estimate.low < estimate.value < estimate.high
        (0.45, True)
    """
    table = np.asarray(scores, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    value = interquartile_mean(table)
    if len(table) < 2 or not np.isfinite(table).all():
        return Estimate(value, unit=unit)
    blocks = []
    for size in _blocks(resamples, table.size):
        drawn = rng.integers(0, len(table), size=(size, len(table)))
        blocks.append(trim_mean(table[drawn].reshape(size, -1), _QUARTER, axis=1))
    low, high = _percentiles(np.concatenate(blocks), confidence)
    return Estimate(value, float(low), float(high), unit)


def paired_difference(
    scores: FloatArray,
    reference: FloatArray,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    unit: str = "",
) -> Estimate:
    """Return the interquartile mean of score minus reference over pairs with the same arrivals and traffic.

    What a seed does to both cancels, so that the interval is that of the policies' difference.

    Args:
        scores: (R,) or (R, S).
        reference: of the same shape, the same seeds in the same places.
        rng: generator of the resampling.
        confidence: coverage of the interval.
        resamples: number of resamples.
        unit: unit of the scores.

    Raises:
        InputError: the shapes differ, so these are no pairs.
    """
    first, second = np.asarray(scores, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if first.shape != second.shape:
        raise InputError(f"{first.shape} scores against {second.shape}: no pairs; run both policies on the same seeds")
    return interval(first - second, rng, confidence, resamples, unit)


def curve(values: FloatArray, rng: np.random.Generator, confidence: float = 0.95, resamples: int = RESAMPLES) -> Curve:
    """Return the interquartile mean over R repetitions at each of E points, with a pointwise percentile band.

    Repetitions are resampled as whole curves. The band holds each point with the given confidence, not the whole curve.

    Args:
        values: (R, E).
        rng: generator of the resampling.
        confidence: coverage of the band at a point.
        resamples: number of resamples.

    Returns:
        The curve; its band has no width for a single repetition.
    """
    table = np.asarray(values, dtype=np.float64)
    value = np.asarray(trim_mean(table, _QUARTER, axis=0), dtype=np.float64)
    if len(table) < 2:
        return Curve(value, value, value)
    # One draw for all points, though means are taken block by block: repetitions are resampled as whole curves.
    drawn = rng.integers(0, len(table), size=(resamples, len(table)))
    low, high = np.empty_like(value), np.empty_like(value)
    begin = 0
    for size in _blocks(table.shape[1], drawn.size):
        part = slice(begin, begin + size)
        means = trim_mean(table[:, part][drawn], _QUARTER, axis=1)  # (resamples, size)
        low[part], high[part] = _percentiles(np.asarray(means), confidence)
        begin += size
    return Curve(value, low, high)


def smoothed(values: FloatArray, window: int) -> FloatArray:
    """Return the mean of the last `window` points at each point of (..., E), or of as many as there are at the start.

    Example:
        >>> smoothed(np.array([1.0, 3.0, 5.0]), 2).tolist()
        [1.0, 2.0, 4.0]
    """
    sums = np.cumsum(np.asarray(values, dtype=np.float64), axis=-1)
    count = np.minimum(np.arange(1, sums.shape[-1] + 1), window)
    before = np.zeros_like(sums)
    before[..., window:] = sums[..., :-window] if window < sums.shape[-1] else 0.0
    means: FloatArray = (sums - before) / count
    return means


def _blocks(count: int, each: int) -> list[int]:
    """Return the sizes of blocks of `count` resamples of `each` numbers that fit into memory."""
    most = max(1, _BLOCK // max(1, each))
    return [min(most, count - begin) for begin in range(0, count, most)]


def _percentiles(means: AnyArray, confidence: float) -> FloatArray:
    tail = (1.0 - confidence) / 2.0
    ends: FloatArray = np.quantile(means, (tail, 1.0 - tail), axis=0)
    return ends
