"""Releases are counted in the interval they fall into, each once, whatever the ticks that told of them."""

import numpy as np
import pytest

from cosim.kernel.clock import URGENT, Clock
from cosim.scenario.twin_forecast import SmoothedDemand
from cosim.twin.demand import TaskDemand
from cosim.types import NOWHERE

VEHICLES, SITES, TICKS = 5, 3, 6


@pytest.mark.parametrize(("tick_s", "interval_s"), [(1.0, 1.0), (1.0, 0.5), (0.5, 1.0), (1.0, 0.3), (0.4, 1.0)])
def test_every_release_counts_once_in_its_interval(tick_s: float, interval_s: float) -> None:
    """With weight 1 the level is the last closed interval's rate: sites and vehicles as counted by hand."""
    rng = np.random.default_rng(3)
    told = [np.sort(rng.uniform(n * tick_s, (n + 1) * tick_s, rng.integers(0, 9))) for n in range(TICKS)]
    vehicle = [rng.integers(0, VEHICLES, len(time_s)) for time_s in told]
    site = [rng.integers(NOWHERE, SITES, len(time_s)) for time_s in told]
    clock = Clock()
    demand = TaskDemand(clock, SmoothedDemand(weight=1.0), SITES, interval_s)

    def tick(n: int) -> None:
        demand.tick(np.arange(VEHICLES), np.empty(0, np.int64))
        if n < TICKS and len(told[n]):
            demand.released(told[n], vehicle[n], site[n])

    clock.every(tick_s, tick, priority=URGENT)
    times, by_vehicle, by_site = np.concatenate(told), np.concatenate(vehicle), np.concatenate(site)
    for interval in range(1, int(TICKS * tick_s / interval_s) + 1):
        clock.at(interval * interval_s, clock.halt, URGENT + 1)
        clock.advance()
        inside = (times >= (interval - 1) * interval_s) & (times < interval * interval_s)
        seen = demand.view(np.arange(VEHICLES))
        sites = [(inside & (by_site == number)).sum() / interval_s for number in range(SITES)]
        vehicles = [(inside & (by_vehicle == number)).sum() / interval_s for number in range(VEHICLES)]
        assert seen.site.rate_per_s.tolist() == pytest.approx(sites)
        assert seen.vehicle.rate_per_s.tolist() == pytest.approx(vehicles)
