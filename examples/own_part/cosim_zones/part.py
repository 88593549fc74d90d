"""The part: one SimPy process for each zone on the run's own clock."""

from collections.abc import Generator
from itertools import count
from typing import Any

import numpy as np

from cosim.assembly import PartContext
from cosim.mobility.source import MobilityFrame
from cosim.part import Part
from cosim_zones.facts import ZoneCounted, ZoneDeployed
from cosim_zones.section import Zone, Zones


class ZoneCounter(Part):
    """Counts the vehicles of each zone every period and sends the count from the nearest site to the collector."""

    def __init__(self, plan: Zones, context: PartContext) -> None:
        """Deploy the zones and start their processes.

        Args:
            plan: the scenario's section `zones`.
            context: clock, wires, sites and recorders of the run.
        """
        self._plan = plan
        self._clock = context.clock
        self._wires = context.transport.wires
        self._collector = context.topology.cloud if context.topology.cloud is not None else 0
        self._sites_m = np.array([(site.x_m, site.y_m) for site in context.sites])
        self._xy_m = np.empty((0, 2))
        self._open: dict[int, tuple[float, int]] = {}
        """Counts whose report is on its way: time of the count, and vehicles, by zone."""
        self._record = context.facts.recorder(ZoneCounted)
        deployed = context.facts.recorder(ZoneDeployed)
        for number, zone in enumerate(plan.zones):
            deployed(0.0, number, zone.name, zone.x_m, zone.y_m, zone.radius_m)
            self._clock.process(self._watch(number, zone))

    def tick(self, frame: MobilityFrame, tick: int) -> None:  # noqa: ARG002 - the hook's signature
        """Keep the positions of the vehicles that are on the road."""
        self._xy_m = frame.xy_m[frame.on_road]

    def finish(self) -> None:
        """Record the counts whose reports are still on their way."""
        for number, (counted_s, vehicles) in self._open.items():
            self._record(self._clock.now, number, counted_s, vehicles, 0)

    def _watch(self, number: int, zone: Zone) -> Generator[Any, Any, None]:
        """Count the vehicles of a zone every period, send the count, and wait for its arrival or give it up."""
        clock, plan = self._clock, self._plan
        site = int(np.hypot(*(self._sites_m - (zone.x_m, zone.y_m)).T).argmin())
        for place in count(1):
            yield clock.until(place * plan.period_s)
            self._open[number] = counted_s, vehicles = clock.now, self._inside(zone)
            # The transfer runs as a story of its own, so that it may be given up while it is on the wires.
            report = clock.wait_for(self._wires.carry(plan.report_bit, site, self._collector))
            yield report | clock.until(counted_s + plan.patience_s)
            del self._open[number]
            self._record(clock.now, number, counted_s, vehicles, int(report.triggered))

    def _inside(self, zone: Zone) -> int:
        distance_m = np.hypot(*(self._xy_m - (zone.x_m, zone.y_m)).T)
        return int(np.count_nonzero(distance_m <= zone.radius_m))
