"""The digital twin of a run, put together: a mirror, what keeps it in step, and what is stated of it (S1 figure 1)."""

from collections.abc import Mapping

from cosim.compute import Host
from cosim.kernel.clock import Clock
from cosim.mobility.source import MobilityFrame
from cosim.part import Part
from cosim.scenario.schema import Scenario
from cosim.scenario.twin import BudgetSync, OnChangeSync, PeriodicSync, Sync, Twin
from cosim.scenario.twin_forecast import VelocityForecast
from cosim.tasks.source import Releases
from cosim.topology import Topology
from cosim.trace.store.writer import FactWriter
from cosim.transport import Transport
from cosim.twin.census import Census
from cosim.twin.forecast import MotionForecaster, make_forecaster
from cosim.twin.hosting import Hosting
from cosim.twin.hosting_costs import Beliefs
from cosim.twin.hosting_room import TwinHosts
from cosim.twin.mirror import Mirror
from cosim.twin.scheduler import Budget, OnChange, Periodic, Scheduler
from cosim.twin.site_sync import SiteSynchronisation
from cosim.twin.sync import Home, Synchronisation
from cosim.twin.task_demand import TaskDemand


class DigitalTwin(Part):
    """All twins of a run."""

    def __init__(
        self,
        clock: Clock,
        plan: Twin,
        scenario: Scenario,
        topology: Topology,
        transport: Transport,
        hosts: Mapping[int, Host],
        facts: FactWriter,
        forecaster: MotionForecaster | None = None,
        copy: MotionForecaster | None = None,
        home: Home | None = None,
    ) -> None:
        """Begin with nobody on the map.

        Args:
            clock: simulated time.
            plan: `scenario.twin`.
            scenario: the rest of it.
            topology: sites and wires.
            transport: shared with the tasks.
            hosts: processors by node.
            facts: where all is recorded.
            forecaster: of the twin; it is told every state that comes. None: nobody forecasts.
            copy: another one of the same kind, which the vehicles keep for `sync: on_change`; by default straight on.
            home: where twins live, if the scenario has no placement; None: at the site that took the message.

        Raises:
            InputError: `twin.sync.period_s` is no multiple of the step.
        """
        radio, nodes = scenario.radio, topology.sites + (topology.cloud is not None)
        idle = [hosts.get(node) for node in range(nodes)]
        self.mirror = Mirror(
            min(radio.candidates, topology.sites),
            [1.0 if host is None else host.speed_hz for host in idle],
            topology.sites,
        )
        self._channel = transport.channel
        self._records = facts.records
        self.forecaster = forecaster
        self.demand = TaskDemand(clock, plan.demand, topology.sites, plan.site_period_s)
        self._hosting = None
        if plan.placement is not None:
            room = TwinHosts(plan.placement.tiers, topology, hosts, scenario.seed)
            creation, power_w = plan.placement.creation, radio.vehicle_power_w
            beliefs = Beliefs(self.mirror, transport.channel, topology, room, creation, power_w, plan.message_bit)
            self._hosting = Hosting(clock, plan.placement, transport, beliefs, scenario.seed, facts)
            home = self._hosting.home
        scheduler = _scheduler(plan.sync, scenario.mobility.step_s, topology.sites, copy)
        self.messages = Synchronisation(
            clock,
            plan,
            transport,
            self.mirror,
            scheduler,
            forecaster,
            home,
            radio.vehicle_power_w,
            scenario.seed,
            facts,
        )
        SiteSynchronisation(clock, plan, topology, transport, hosts, self.mirror)
        self._census = Census(clock, self.mirror, self.messages, plan.message_bit, forecaster, self.demand, facts)

    def tick(self, frame: MobilityFrame, tick: int) -> None:
        """Vehicles have moved, and their radio conditions are known."""
        self.messages.tick(frame, tick)
        self.demand.tick(frame.numbers, frame.left)
        if self._hosting is not None:
            self._hosting.tick(frame)

    def released(self, releases: Releases) -> None:
        """Count the tasks that come, by vehicle and by the site that serves it now."""
        air = self._channel.air
        serving = air.serving[air.numbers.searchsorted(releases.vehicle)]
        self.demand.released(releases.time_s, releases.vehicle, serving)

    def sample(self, frame: MobilityFrame) -> None:
        """State what the twins are now; `frame` is the last tick's."""
        if not self._records:
            return
        self._census.sample(frame)
        if self._hosting is not None:
            self._hosting.sample()

    def finish(self) -> None:
        """The run is over."""
        self.messages.finish()


def _scheduler(sync: Sync, step_s: float, sites: int, copy: MotionForecaster | None) -> Scheduler:
    match sync:
        case PeriodicSync():
            return Periodic(sync, step_s)
        case OnChangeSync():
            return OnChange(sync, copy or make_forecaster(VelocityForecast(kind="constant_velocity"), None))
        case BudgetSync():
            return Budget(sync, step_s, sites)
