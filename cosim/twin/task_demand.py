"""How many tasks vehicles will release, each and by serving site: lambda of S1 eq 9, with its deviation."""

from functools import cached_property
from typing import Final, TypeAlias

import numpy as np

from cosim.kernel.clock import URGENT, Clock
from cosim.scenario.twin_forecast import DemandForecast
from cosim.twin.demand import Demand, DemandForecaster, Learnt
from cosim.types import FloatArray, IntArray

_Batch: TypeAlias = tuple[FloatArray, IntArray, IntArray]
_NOTHING: Final[_Batch] = (np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64))


class DemandView:
    """What is expected of the next interval, with the bound of eq 9 on how far off it may be.

    As a policy sees it at a decision epoch: each part is made when it is first asked for, from what was known then.
    """

    def __init__(self, of_sites: Learnt, sites: IntArray, of_vehicles: Learnt, vehicles: IntArray) -> None:
        self._of_sites, self._sites = of_sites, sites
        self._of_vehicles, self._vehicles = of_vehicles, vehicles

    @cached_property
    def site(self) -> Demand:  # (S,)
        """Of each site."""
        return self._of_sites.expected(self._sites)

    @cached_property
    def vehicle(self) -> Demand:  # (T,)
        """Of each task's vehicle."""
        return self._of_vehicles.expected(self._vehicles)


class TaskDemand:
    """Counts releases interval by interval, and forecasts the next one."""

    def __init__(self, clock: Clock, plan: DemandForecast, sites: int, interval_s: float) -> None:
        self._clock = clock
        self._sites = np.arange(sites)
        self._interval_s = interval_s
        self._of_sites, self._of_vehicles = DemandForecaster(plan), DemandForecaster(plan)
        self._here: IntArray = np.empty(0, np.int64)
        self._released: list[_Batch] = []
        """Times, vehicles and sites of the tasks that no closed interval has counted, in order of time."""
        self.error_per_s = np.nan
        """Largest |delta_lambda| over the sites in the last interval."""
        self.bound_per_s = np.nan
        """epsilon_lambda as it was held before it."""
        clock.every(interval_s, self._close, first=1, priority=URGENT)

    def tick(self, numbers: IntArray, left: IntArray) -> None:
        """Who is on the map now."""
        self._here = numbers
        if len(left):
            self._of_vehicles.forget(left)

    def released(self, time_s: FloatArray, vehicle: IntArray, site: IntArray) -> None:
        """Tasks that are released until the next tick, (T,), and the sites that serve their vehicles, or NOWHERE."""
        self._released.append((time_s, vehicle, site))

    def view(self, vehicles: IntArray) -> DemandView:
        """The next interval, for all sites and for the vehicles of some tasks."""
        return DemandView(self._of_sites.learnt, self._sites, self._of_vehicles.learnt, vehicles)

    def _close(self, interval: int) -> None:
        """An interval is over: compare with what was expected of it, then learn."""
        vehicle, site = self._past()
        counts = np.bincount(site + 1, minlength=len(self._sites) + 1)[1:].astype(np.float64)  # NOWHERE is -1
        if interval > 1:
            self.bound_per_s = self._of_sites.deviation_per_s
        self.error_per_s = self._of_sites.observe(self._sites, counts, self._interval_s)
        if len(self._here):
            each = np.bincount(vehicle, minlength=int(self._here[-1]) + 1).astype(np.float64)
            self._of_vehicles.observe(self._here, each[self._here], self._interval_s)

    def _past(self) -> tuple[IntArray, IntArray]:
        """Vehicles and sites of the tasks that were released since the interval before."""
        batches = self._released or [_NOTHING]
        columns = batches[0] if len(batches) == 1 else tuple(map(np.concatenate, zip(*batches, strict=True)))
        time_s, vehicle, site = columns
        past = int(time_s.searchsorted(self._clock.now))
        self._released = [(time_s[past:], vehicle[past:], site[past:])] if past < len(time_s) else []
        return vehicle[:past], site[:past]
