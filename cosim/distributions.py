"""Distributions of a scenario's random quantities: mean, inverse distribution function, and draws."""

from collections.abc import Mapping
from typing import assert_never

import numpy as np
from scipy.special import ndtri

from cosim.kernel.rng import keyed_uniform
from cosim.scenario.section import Choice, Distribution, Exponential, Lognormal, Uniform
from cosim.types import AnyArray, FloatArray, IntArray

_LOWEST = 2.0**-54
_HIGHEST = 1.0 - 2.0**-53


def mean(distribution: Distribution) -> float:
    """Return the expected value; a plain number is its own mean.

    >>> from cosim.scenario.section import Uniform
    >>> mean(Uniform(kind="uniform", low=1.0, high=3.0)), mean(5.0)
    (2.0, 5.0)
    """
    match distribution:
        case Uniform(low=low, high=high):
            return (low + high) / 2.0
        case Exponential(mean=value) | Lognormal(mean=value):
            return value
        case Choice(values=values):
            return float(np.dot(values, _probabilities(distribution)))
        case float() | int():
            return float(distribution)
        case _:
            assert_never(distribution)


def quantile(distribution: Distribution, probability: FloatArray) -> FloatArray:
    """Return the inverse distribution function, element by element.

    Uniform: low + (high - low) u. Exponential: -m ln(1 - u). Lognormal with mean m and coefficient of variation c:
    exp(mu + s z(u)) with s^2 = ln(1 + c^2), mu = ln m - s^2 / 2 and z the standard normal quantile. Choice: the first
    value whose cumulated weight exceeds u. Probabilities are kept inside (0, 1), so that an exponential or lognormal
    value is finite and positive.
    """
    match distribution:
        case Uniform(low=low, high=high):
            spread: FloatArray = low + (high - low) * probability
            return spread
        case Exponential(mean=value):
            exponential: FloatArray = -value * np.log1p(-_inside(probability))
            return exponential
        case Lognormal(mean=value, cv=cv):
            log_variance = np.log1p(cv * cv)
            normal = ndtri(_inside(probability))
            lognormal: FloatArray = np.exp(np.log(value) - log_variance / 2.0 + np.sqrt(log_variance) * normal)
            return lognormal
        case Choice(values=values):
            cumulated = np.cumsum(_probabilities(distribution))[:-1]
            chosen: FloatArray = np.asarray(values, float)[np.searchsorted(cumulated, probability, side="right")]
            return chosen
        case float() | int():
            return np.full(np.shape(probability), float(distribution))
        case _:
            assert_never(distribution)


def draw(distribution: Distribution, rng: np.random.Generator, n: int) -> FloatArray:
    """Return `n` independent values, (n,); a plain number takes nothing from the stream.

    Args:
        distribution: distribution of each value.
        rng: the stream.
        n: number of values.
    """
    if isinstance(distribution, float | int):
        return np.full(n, float(distribution))
    return quantile(distribution, rng.random(n))


class Columns:
    """Several quantities of the same rows, drawn at once for several groups of rows.

    They are the values of `draw`, group after group, and in each for one distribution after the other.

    Args:
        distributions: distribution of each column, by name.
    """

    def __init__(self, distributions: Mapping[str, Distribution]) -> None:
        plain = {name: value for name, value in distributions.items() if isinstance(value, float | int)}
        drawn = {name: value for name, value in distributions.items() if name not in plain}
        bounds = [(one.low, one.high) if isinstance(one, Uniform) else (0.0, 1.0) for one in drawn.values()]
        self._names = (*drawn, *plain)
        self._low = np.array([low for low, _ in bounds] + [float(value) for value in plain.values()])[:, None]
        self._spread = np.array([high - low for low, high in bounds])[:, None]
        self._other = [(row, one) for row, one in enumerate(drawn.values()) if not isinstance(one, Uniform)]

    def draw(self, rng: np.random.Generator, counts: IntArray) -> dict[str, FloatArray]:
        """Return `counts.sum()` values of each column, by name, for groups of `counts` rows."""
        n = int(counts.sum())
        values = self._low.repeat(n, axis=1)
        drawn = len(self._spread)
        if drawn:
            uniform = rng.random(drawn * n)
            # The values of a group stand together: those of the first column, then those of the next.
            before = ((counts.cumsum() - counts) * (drawn - 1)).repeat(counts) + np.arange(n)
            place = before + counts.repeat(counts) * np.arange(drawn)[:, None]
            values[:drawn] += self._spread * uniform.take(place)
        for row, distribution in self._other:
            values[row] = quantile(distribution, values[row])
        return dict(zip(self._names, values, strict=True))


def keyed_draw(distribution: Distribution, key: int, *counters: AnyArray | int) -> FloatArray:
    """Return values that depend on the key and the counters alone, for example one for each vehicle number.

    Args:
        distribution: distribution of each value.
        key: key of the phenomenon's stream, see `cosim.kernel.rng.stream_key`.
        counters: integers or integer arrays that broadcast together to the shape of the result.
    """
    return quantile(distribution, np.asarray(keyed_uniform(key, *counters)))


def _inside(probability: FloatArray) -> FloatArray:
    return np.clip(probability, _LOWEST, _HIGHEST)


def _probabilities(choice: Choice) -> FloatArray:
    weights = np.ones(len(choice.values)) if choice.weights is None else np.asarray(choice.weights, float)
    probabilities: FloatArray = weights / weights.sum()
    return probabilities
