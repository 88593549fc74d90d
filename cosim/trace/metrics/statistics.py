"""Confidence intervals from one long run: the run is cut into batches that are long enough to be nearly independent.

Batch means with Student's t after Law, Simulation Modeling and Analysis, 5th ed., section 9.5.3, and Schmeiser, "Batch
size effects in the analysis of simulation output", Operations Research 30 (1982): 10 to 30 batches are enough. The
batches are a choice of the scenario, not tested for independence: with strong autocorrelation over a whole batch the
intervals are too narrow.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from cosim.types import FloatArray


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its confidence interval; `low` and `high` are NaN where the run is too short for one."""

    value: float
    low: float = math.nan
    high: float = math.nan
    unit: str = ""

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2.0


def _interval(value: float, deviations: FloatArray, confidence: float, unit: str) -> Estimate:
    """Return the interval value -+ t_{k-1} s / sqrt(k) with s^2 = sum of squared deviations of k batches / (k - 1)."""
    k = len(deviations)
    if k < 2 or not np.isfinite(value) or not np.isfinite(deviations).all():
        return Estimate(value, unit=unit)
    error = math.sqrt(float(deviations @ deviations) / (k - 1) / k)
    half = float(stdtrit(k - 1, (1.0 + confidence) / 2.0)) * error
    return Estimate(value, value - half, value + half, unit)


def batch_means(values: FloatArray, batches: int, confidence: float, unit: str = "") -> Estimate:
    """Return the mean of values in time order, with the interval from the means of `batches` groups of equal size.

    Values at the start that do not fill a batch are left out of the interval, not of the mean.

    Args:
        values: the values, (N,).
        batches: number of batches.
        confidence: coverage of the interval, such as 0.95.
        unit: unit of the values.

    Example:
        >>> estimate = batch_means(np.array([1.0, 2.0, 3.0, 2.0]), batches=2, confidence=0.95)
        >>> estimate.value, round(estimate.half_width, 3)
        (2.0, 6.353)
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 0:
        return Estimate(math.nan, unit=unit)
    mean, size = float(values.mean()), len(values) // batches
    if size == 0:
        return Estimate(mean, unit=unit)
    means = values[len(values) - size * batches :].reshape(batches, size).mean(axis=1)
    return _interval(mean, means - means.mean(), confidence, unit)


def batch_total(amounts: FloatArray, confidence: float, unit: str = "") -> Estimate:
    """Return the sum of the amounts of batches of equal length, with the interval of k times their mean.

    Args:
        amounts: amount in each batch, (k,).
        confidence: coverage of the interval, such as 0.95.
        unit: unit of the amounts.
    """
    amounts = np.asarray(amounts, dtype=np.float64)
    return _interval(float(amounts.sum()), len(amounts) * (amounts - amounts.mean()), confidence, unit)


def batch_ratio(numerators: FloatArray, denominators: FloatArray, confidence: float, unit: str = "") -> Estimate:
    """Return the ratio r of two sums over batches; its interval is from the deviations (Y_i - r X_i) / mean X.

    The classical ratio estimator of Law, section 9.5.3 (regenerative method), with batches as cycles. It needs no
    sample in each batch, unlike the mean of batch ratios, which is biased for small batches. A mean per task is such
    a ratio.

    Args:
        numerators: Y, (k,).
        denominators: X, (k,).
        confidence: coverage of the interval, such as 0.95.
        unit: unit of the ratio.

    Returns:
        The ratio; NaN if the denominators sum up to 0.

    Example:
        >>> done, ended = np.array([8.0, 9.0, 7.0]), np.array([10.0, 10.0, 10.0])
        >>> estimate = batch_ratio(done, ended, confidence=0.95)
        >>> estimate.value, round(estimate.half_width, 3)
        (0.8, 0.248)
    """
    numerators = np.asarray(numerators, dtype=np.float64)
    denominators = np.asarray(denominators, dtype=np.float64)
    total = float(denominators.sum())
    if total == 0.0:
        return Estimate(math.nan, unit=unit)
    ratio = float(numerators.sum()) / total
    return _interval(ratio, (numerators - ratio * denominators) / (total / len(denominators)), confidence, unit)


def batch_quantile(
    overall: float, quantiles: FloatArray, counts: FloatArray, level: float, confidence: float, unit: str = ""
) -> Estimate:
    """Return the quantile of all values, with the interval from the quantiles of the batches.

    The deviations are taken from the overall quantile, which counts a bias of the batches as width (Alexopoulos,
    Goldsman and Wilson, "A new perspective on batched quantile estimation", WSC 2012). A batch with fewer than
    1 / (1 - level) values has no such quantile to speak of: then there is no interval.

    Args:
        overall: quantile of all values.
        quantiles: quantile of each batch, (k,).
        counts: number of values in each batch, (k,).
        level: probability of the quantile, such as 0.95.
        confidence: coverage of the interval, such as 0.95.
        unit: unit of the values.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if len(counts) == 0 or float(counts.min()) * (1.0 - level) < 1.0:
        return Estimate(overall, unit=unit)
    return _interval(overall, np.asarray(quantiles, dtype=np.float64) - overall, confidence, unit)
