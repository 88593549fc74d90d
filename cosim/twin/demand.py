"""What the twin expects of tasks and queues: arrival rates with a bounded deviation are S1 eq 8-9."""

from collections import deque
from dataclasses import dataclass
from math import isnan, nan
from typing import NamedTuple

import numpy as np

from cosim.scenario.twin_forecast import DemandForecast, HoltDemand
from cosim.twin.tracks import grown
from cosim.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Demand:
    """Expected arrivals, and how far off they may be (S1 eq 9)."""

    rate_per_s: FloatArray  # (N,) lambda-hat
    deviation_per_s: float
    """Epsilon: |lambda - lambda-hat| is at most this, as far as was seen."""

    @property
    def most_per_s(self) -> FloatArray:
        """(N,) lambda-hat + epsilon: the rate that a careful plan counts on."""
        most: FloatArray = self.rate_per_s + self.deviation_per_s
        return most


class Learnt(NamedTuple):
    """What intervals have taught by some time; nothing is ever written in it, so that it stays what it was."""

    level: FloatArray  # by number, NaN: never seen
    trend: FloatArray  # by number; 0 where no trend is learnt
    deviation_per_s: float

    def expected(self, numbers: IntArray, intervals_ahead: float = 1.0) -> Demand:
        """The rates (N,) of an interval to come; the next one by default."""
        if not len(numbers):
            return Demand(np.empty(0), self.deviation_per_s)
        size = int(numbers.max()) + 1
        level, trend = grown(self.level, size, np.nan)[numbers], grown(self.trend, size)[numbers]
        rate = level + intervals_ahead * trend
        unseen = np.isnan(rate)
        if unseen.any():
            seen = self.level[~np.isnan(self.level)]
            rate[unseen] = seen.mean() if len(seen) else 0.0
        return Demand(np.maximum(rate, 0.0), self.deviation_per_s)


class DemandForecaster:
    """Arrival rates of vehicles or of sites, learnt from counts of arrivals in intervals of equal length.

    Level l and trend b follow the rate y of each interval (Holt 1957; b = 0 for the plain weighted mean):
    l' = a y + (1 - a)(l + b), b' = c (l' - l) + (1 - c) b; the forecast h intervals ahead is max(l + h b, 0). The first
    interval of an entity is its first level; an entity never seen is expected at the mean level of the others.

    S1 leaves open where epsilon of eq 9 comes from. Read as: the largest |y - forecast| (or a quantile of it) among
    all entities and the intervals of a window, where y is the rate that really came in the interval. As an actual rate
    it has the noise of counting in it: epsilon of few expected arrivals is large.
    """

    def __init__(self, section: DemandForecast) -> None:
        self._weight = section.weight
        self._trend_weight = section.trend_weight if isinstance(section, HoltDemand) else 0.0
        self._quantile = section.quantile
        self._bounds = deque([0.0], section.window)
        self.learnt = Learnt(np.empty(0), np.empty(0), 0.0)
        """What is known by now."""

    def observe(self, numbers: IntArray, counts: FloatArray, interval_s: float) -> float:
        """Takes the arrivals (N,) of an interval that ended now, zeros included; numbers ascend.

        Returns:
            The largest |y - forecast| of the interval; NaN if nothing had been forecast for it.
        """
        if not len(numbers):
            return nan
        levels, trends = self._tables(int(numbers[-1]) + 1)
        rate = counts / interval_s
        level = levels[numbers]
        ahead = level + trends[numbers] if self._trend_weight else level
        known = ~np.isnan(ahead)
        missed = np.abs(rate - np.maximum(ahead, 0.0))
        most = float(np.fmax.reduce(missed))
        if not isnan(most):
            self._bounds.append(most if self._quantile == 1.0 else float(np.quantile(missed[known], self._quantile)))
        smooth = self._weight * rate + (1.0 - self._weight) * ahead
        if np.count_nonzero(known) < len(known):
            smooth = np.where(known, smooth, rate)
        if self._trend_weight:
            change = np.where(known, smooth - level, 0.0)
            trends[numbers] = self._trend_weight * change + (1.0 - self._trend_weight) * trends[numbers]
        levels[numbers] = smooth
        self.learnt = Learnt(levels, trends, max(self._bounds))
        return most

    def expected(self, numbers: IntArray, intervals_ahead: float = 1.0) -> Demand:
        """See `Learnt`."""
        return self.learnt.expected(numbers, intervals_ahead)

    def forget(self, numbers: IntArray) -> None:
        """Drops vehicles that left; unknown ones are ignored."""
        levels, trends = self._tables(0)
        known = numbers[numbers < len(levels)]
        levels[known], trends[known] = np.nan, 0.0
        self.learnt = Learnt(levels, trends, self.deviation_per_s)

    @property
    def deviation_per_s(self) -> float:
        """Epsilon of S1 eq 9: the largest deviation of the window's intervals; 0 before the second interval."""
        return self.learnt.deviation_per_s

    def _tables(self, size: int) -> tuple[FloatArray, FloatArray]:
        """Copies of level and trend to write in, with room for so many numbers."""
        levels, trends = self.learnt.level, self.learnt.trend
        if size > len(levels):
            size = max(size, 2 * len(levels))
            return grown(levels, size, np.nan), grown(trends, size)
        return levels.copy(), trends.copy() if self._trend_weight else trends


def queue_ahead(
    queued_cycles: FloatArray, arriving_cycles_per_s: FloatArray, served_cycles_per_s: FloatArray, ahead_s: FloatArray
) -> FloatArray:
    """Work in a queue some time later, (N,): max(q + (a - s) t, 0), the fluid limit.

    Left out: chance. A queue that is empty in the mean still holds work now and then; with the arrivals of
    `Demand.most_per_s` the result is the bound of a careful plan.
    """
    later: FloatArray = np.maximum(queued_cycles + (arriving_cycles_per_s - served_cycles_per_s) * ahead_s, 0.0)
    return later
