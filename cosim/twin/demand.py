"""The twin's expectation of tasks and queues: arrival rates with a bounded deviation, S1 eq 8-9.

Rates are learnt of each vehicle, and of each site from the tasks of the vehicles that it serves.
"""

from collections import deque
from functools import cached_property
from math import isnan, nan
from typing import Final, NamedTuple

import numpy as np

from cosim.decision import ExpectedArrivals
from cosim.kernel.clock import URGENT, Clock
from cosim.scenario.twin_forecast import DemandForecast, HoltDemand
from cosim.twin.tracks import grown
from cosim.types import FloatArray, IntArray, read_only

_NOBODY: Final[tuple[IntArray, IntArray]] = np.empty(0, np.int64), np.empty(0, np.int64)


class LearntRates(NamedTuple):
    """The rates learnt by some time; the arrays are never written again."""

    level: FloatArray
    """Tasks per second by number, NaN: never seen."""
    trend: FloatArray
    """Change of level for each interval, by number; 0 where no trend is learnt."""
    deviation_per_s: float
    """Epsilon of S1 eq 9."""

    def expected(self, numbers: IntArray, intervals_ahead: float = 1.0) -> ExpectedArrivals:
        """Return the rates (N,) of an interval to come; the next one by default."""
        if not len(numbers):
            return ExpectedArrivals(read_only(np.empty(0)), self.deviation_per_s)
        size = int(numbers.max()) + 1
        level, trend = grown(self.level, size, np.nan)[numbers], grown(self.trend, size)[numbers]
        rate = level + intervals_ahead * trend
        unseen = np.isnan(rate)
        if np.count_nonzero(unseen):
            seen = self.level[~np.isnan(self.level)]
            rate[unseen] = seen.mean() if len(seen) else 0.0
        return ExpectedArrivals(read_only(np.maximum(rate, 0.0)), self.deviation_per_s)


class DemandForecaster:
    """Arrival rates of vehicles or of sites, learnt from counts of arrivals in intervals of equal length.

    Level l and trend b follow the rate y of each interval (Holt 1957; b = 0 for the plain weighted mean): l' = a y + (1
    - a)(l + b), b' = c (l' - l) + (1 - c) b; the forecast h intervals ahead is max(l + h b, 0). The first interval of
    an entity is its first level; an entity never seen is expected at the mean level of the others.

    S1 leaves open where epsilon of eq 9 comes from. Read as: the largest |y - forecast| (or a quantile of it) among all
    entities and the intervals of a window, where y is the true rate of the interval. As a measured rate it contains the
    noise of counting: epsilon of few expected arrivals is large.

    Args:
        section: section `twin.demand` of the scenario.
    """

    def __init__(self, section: DemandForecast) -> None:
        self._weight = section.weight
        self._trend_weight = section.trend_weight if isinstance(section, HoltDemand) else 0.0
        self._quantile = section.quantile
        self._bounds = deque([0.0], section.window)
        self.learnt = LearntRates(np.empty(0), np.empty(0), 0.0)
        """The rates learnt by now."""

    def observe(self, numbers: IntArray, counts: FloatArray, interval_s: float) -> float:
        """Learn from the arrivals of an interval that ended now, zeros included.

        Args:
            numbers: (N,) vehicles or sites, ascending.
            counts: (N,) arrivals of each.
            interval_s: length of the interval.

        Returns:
            The largest |y - forecast| of the interval in tasks per second; NaN if nothing had been forecast for it.
        """
        if not len(numbers):
            return nan
        rate, learnt = counts / interval_s, self.learnt
        everyone = len(numbers) == len(learnt.level) == numbers[-1] + 1
        if everyone and not self._trend_weight:  # the tables need no index
            missed = np.abs(rate - learnt.level)
            most = float(missed.max())
            if not isnan(most):
                self._bound(most, missed)
                level = self._weight * rate + (1.0 - self._weight) * learnt.level
                self.learnt = LearntRates(level, learnt.trend, max(self._bounds))
                return most
        levels, trends = self._tables(int(numbers[-1]) + 1)  # copies, because views of earlier epochs keep the old ones
        level = ahead = forecast = levels[numbers]
        if self._trend_weight:
            ahead = level + trends[numbers]
            forecast = np.maximum(ahead, 0.0)
        unseen = np.isnan(ahead)
        missed = np.abs(rate - forecast)
        most = float(np.fmax.reduce(missed))
        if not isnan(most):
            self._bound(most, missed[~unseen])
        smooth = np.where(unseen, rate, self._weight * rate + (1.0 - self._weight) * ahead)
        if self._trend_weight:
            change = np.where(unseen, 0.0, smooth - level)
            trends[numbers] = self._trend_weight * change + (1.0 - self._trend_weight) * trends[numbers]
        levels[numbers] = smooth
        self.learnt = LearntRates(levels, trends, max(self._bounds))
        return most

    def _bound(self, most: float, missed: FloatArray) -> None:
        """Take in the deviations of an interval, the largest of them given."""
        self._bounds.append(most if self._quantile == 1.0 else float(np.quantile(missed, self._quantile)))

    def expected(self, numbers: IntArray, intervals_ahead: float = 1.0) -> ExpectedArrivals:
        """Return the rates (N,) of an interval to come, by what is known now."""
        return self.learnt.expected(numbers, intervals_ahead)

    def forget(self, numbers: IntArray) -> None:
        """Drop vehicles that have left; unknown ones are ignored."""
        levels, trends = self._tables(0)
        known = numbers[numbers < len(levels)]
        levels[known], trends[known] = np.nan, 0.0
        self.learnt = LearntRates(levels, trends, self.deviation_per_s)

    @property
    def deviation_per_s(self) -> float:
        """Epsilon of S1 eq 9: the largest deviation of the window's intervals; 0 before the second interval."""
        return self.learnt.deviation_per_s

    def _tables(self, size: int) -> tuple[FloatArray, FloatArray]:
        """Return writable copies of level and trend, with room for `size` numbers."""
        levels, trends = self.learnt.level, self.learnt.trend
        if size > len(levels):
            size = max(size, 2 * len(levels))
            return grown(levels, size, np.nan), grown(trends, size)
        return levels.copy(), trends.copy() if self._trend_weight else trends


class LearntDemandView:
    """Expected arrivals of the next interval, with the bound of eq 9 on their deviation.

    A policy gets it at a decision epoch; each part is computed when it is first used, from what was known at the epoch.

    Args:
        of_sites: rates of sites.
        sites: (S,) site numbers.
        of_vehicles: rates of vehicles.
        vehicles: (T,) vehicles of the tasks.
    """

    def __init__(self, of_sites: LearntRates, sites: IntArray, of_vehicles: LearntRates, vehicles: IntArray) -> None:
        self._of_sites, self._sites = of_sites, sites
        self._of_vehicles, self._vehicles = of_vehicles, vehicles

    @cached_property
    def site(self) -> ExpectedArrivals:  # (S,)
        """Rates of all sites, (S,)."""
        return self._of_sites.expected(self._sites)

    @cached_property
    def vehicle(self) -> ExpectedArrivals:  # (T,)
        """Rates of each task's vehicle, (T,)."""
        return self._of_vehicles.expected(self._vehicles)


class TaskDemand:
    """Counts released tasks interval by interval, and forecasts the next interval.

    Args:
        clock: simulated time.
        plan: section `twin.demand` of the scenario.
        sites: number of sites.
        interval_s: length of an interval.
    """

    def __init__(self, clock: Clock, plan: DemandForecast, sites: int, interval_s: float) -> None:
        self._clock = clock
        self._sites = np.arange(sites)
        self._interval_s = interval_s
        self._of_sites, self._of_vehicles = DemandForecaster(plan), DemandForecaster(plan)
        self._here: IntArray = np.empty(0, np.int64)
        self._released: deque[tuple[FloatArray, IntArray, IntArray]] = deque()
        """Times, vehicles and sites of the tasks that no closed interval has counted, in order of time."""
        self.error_per_s = np.nan
        """Largest |delta_lambda| over the sites in the last interval."""
        self.bound_per_s = np.nan
        """epsilon_lambda before that interval."""
        clock.every(interval_s, self._close, first=1, priority=URGENT)

    def tick(self, numbers: IntArray, left: IntArray) -> None:
        """Take in the vehicles on the map, and drop those that have left."""
        self._here = numbers
        if len(left):
            self._of_vehicles.forget(left)

    def released(self, time_s: FloatArray, vehicle: IntArray, site: IntArray) -> None:
        """Take in the tasks released until the next tick.

        Args:
            time_s: (T,) times of release, ascending.
            vehicle: (T,) their vehicles.
            site: (T,) sites that serve these vehicles, or NOWHERE.
        """
        self._released.append((time_s, vehicle, site))

    def view(self, vehicles: IntArray) -> LearntDemandView:
        """Return the expected arrivals of the next interval, for all sites and for the vehicles of some tasks."""
        return LearntDemandView(self._of_sites.learnt, self._sites, self._of_vehicles.learnt, vehicles)

    def _close(self, interval: int) -> None:
        """Compare the interval that ends now with its forecast, then learn."""
        vehicle, site = self._past()
        counts = np.bincount(site + 1, minlength=len(self._sites) + 1)[1:].astype(np.float64)  # NOWHERE is -1
        if interval > 1:
            self.bound_per_s = self._of_sites.deviation_per_s
        self.error_per_s = self._of_sites.observe(self._sites, counts, self._interval_s)
        if len(self._here):
            each = np.bincount(vehicle, minlength=int(self._here[-1]) + 1)
            self._of_vehicles.observe(self._here, each.take(self._here).astype(np.float64), self._interval_s)

    def _past(self) -> tuple[IntArray, IntArray]:
        """Return vehicles and sites of the tasks that were released since the interval before."""
        now, past = self._clock.now, []
        while self._released and self._released[0][0][0] < now:
            time_s, vehicle, site = self._released.popleft()
            due = int(time_s.searchsorted(now))
            past.append((vehicle[:due], site[:due]))
            if due < len(time_s):
                self._released.appendleft((time_s[due:], vehicle[due:], site[due:]))
        if len(past) == 1:
            return past[0]
        vehicles, sites = zip(_NOBODY, *past, strict=True)
        return np.concatenate(vehicles), np.concatenate(sites)


def queue_ahead(
    queued_cycles: FloatArray, arriving_cycles_per_s: FloatArray, served_cycles_per_s: FloatArray, ahead_s: FloatArray
) -> FloatArray:
    """Return the work in a queue some time later, (N,): max(q + (a - s) t, 0), the fluid limit.

    Chance is left out: a queue that is empty in the mean still holds work now and then; with the arrivals of
    `ExpectedArrivals.most_per_s` the result is the bound of a cautious plan.

        >>> queue_ahead(np.array([3e9]), np.array([1e9]), np.array([2e9]), np.array([2.0])).tolist()
        [1000000000.0]

    Args:
        queued_cycles: q, (N,).
        arriving_cycles_per_s: a, (N,).
        served_cycles_per_s: s, (N,).
        ahead_s: t, (N,).
    """
    later: FloatArray = np.maximum(queued_cycles + (arriving_cycles_per_s - served_cycles_per_s) * ahead_s, 0.0)
    return later
