"""The digital twin of a run, composed of a mirror, its synchronisation, forecasts and placement (S1 figure 1)."""

from collections.abc import Mapping

import numpy as np

from cosim.compute import Host
from cosim.kernel.clock import Clock
from cosim.mobility.source import MobilityFrame
from cosim.part import Part
from cosim.scenario.schema import Scenario
from cosim.scenario.twin import BudgetSync, OnChangeSync, PeriodicSync, Sync, Twin
from cosim.scenario.twin_forecast import VelocityForecast
from cosim.tasks.source import Releases
from cosim.topology import Topology
from cosim.trace.facts.twin import TwinSampled
from cosim.trace.store.writer import FactWriter
from cosim.transport import Transport
from cosim.twin.demand import TaskDemand
from cosim.twin.forecast import MotionForecaster, make_forecaster
from cosim.twin.hosting import Hosting
from cosim.twin.hosting_costs import PlacementProblems
from cosim.twin.hosting_room import TwinHosts
from cosim.twin.mirror import Mirror
from cosim.twin.scheduler import Budget, OnChange, Periodic, Scheduler
from cosim.twin.site_sync import SiteSynchronisation
from cosim.twin.sync import Home, Synchronisation
from cosim.types import FloatArray, IntArray


class DigitalTwin(Part):
    """The mirror, the synchronisation, the forecasts and the placement of all twins of a run."""

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
        """Begin with no vehicle on the map.

        Args:
            clock: simulated time.
            plan: section `twin` of the scenario.
            scenario: the whole scenario.
            topology: sites and wires.
            transport: media, shared with the tasks.
            hosts: processors by node.
            facts: where all facts are recorded.
            forecaster: the twin's forecaster, which observes every state that is received; None: no forecasts.
            copy: another one of the same kind, which the vehicles keep for `sync: on_change`; by default constant
                velocity.
            home: where twins live, if the scenario has no placement; None: at the site that received the message.

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
            problems = PlacementProblems(
                self.mirror, transport.channel, topology, room, creation, power_w, plan.message_bit
            )
            self._hosting = Hosting(clock, plan.placement, transport, problems, scenario.seed, facts)
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
        self._sampler = TwinSampler(clock, self.mirror, self.messages, plan.message_bit, forecaster, self.demand, facts)

    def tick(self, frame: MobilityFrame, tick: int) -> None:
        """Take in a frame, once the radio conditions of its vehicles are known."""
        self.messages.tick(frame, tick)
        self.demand.tick(frame.numbers, frame.left)
        if self._hosting is not None:
            self._hosting.tick(frame)

    def released(self, releases: Releases) -> None:
        """Count the released tasks, by vehicle and by the site that serves it now."""
        air = self._channel.air
        serving = air.serving[air.numbers.searchsorted(releases.vehicle)]
        self.demand.released(releases.time_s, releases.vehicle, serving)

    def sample(self, frame: MobilityFrame) -> None:
        """Record the state of the twins; `frame` is the last tick's."""
        if not self._records:
            return
        self._sampler.sample(frame)
        if self._hosting is not None:
            self._hosting.sample()

    def finish(self) -> None:
        """Record what is open at the end of the run."""
        self.messages.finish()


def _scheduler(sync: Sync, step_s: float, sites: int, copy: MotionForecaster | None) -> Scheduler:
    match sync:
        case PeriodicSync():
            return Periodic(sync, step_s)
        case OnChangeSync():
            return OnChange(sync, copy or make_forecaster(VelocityForecast(kind="constant_velocity"), None))
        case BudgetSync():
            return Budget(sync, step_s, sites)


class TwinSampler:
    """Records ages, messages and errors of all twins at the run's samples.

    Errors are those of the last tick, over the vehicles that were on the road then.

    Args:
        clock: simulated time.
        mirror: states and ages of the twins.
        sync: counts of messages.
        message_bit: bits of a message.
        forecaster: the twin's forecaster; None: no forecasts.
        demand: expected arrivals and their errors.
        facts: where samples are recorded.
    """

    def __init__(
        self,
        clock: Clock,
        mirror: Mirror,
        sync: Synchronisation,
        message_bit: float,
        forecaster: MotionForecaster | None,
        demand: TaskDemand,
        facts: FactWriter,
    ) -> None:
        self._clock = clock
        self._mirror = mirror
        self._sync = sync
        self._message_bit = message_bit
        self._forecaster = forecaster
        self._demand = demand
        self._record = facts.recorder(TwinSampled)

    def sample(self, frame: MobilityFrame) -> None:
        """Record one sample; `frame` is the last tick's."""
        now, ages, sync = self._clock.now, self._mirror.ages, self._sync
        ages.settle(now)
        numbers = frame.numbers
        oldest_s = float(now - self._mirror.generated_s(numbers).min()) if len(numbers) else np.nan
        seen = frame.on_road
        known = self._mirror.known(numbers[seen])
        self._record(
            now,
            ages.twins,
            ages.mean_s,
            oldest_s,
            ages.twin_s,
            ages.age_s2,
            sync.sent,
            sync.received,
            sync.lost,
            sync.sent * self._message_bit,
            _mean(_distance_m(known.xy_m, frame.xy_m[seen])),
            *self._forecast_errors(frame.time_s, numbers[seen], frame.xy_m[seen]),
            self._demand.error_per_s,
            self._demand.bound_per_s,
        )

    def _forecast_errors(self, time_s: float, numbers: IntArray, true_m: FloatArray) -> tuple[float, float, float]:
        """Return mean, 95 % quantile, and share inside the disc; NaN without forecasts."""
        if self._forecaster is None or not len(numbers):
            return np.nan, np.nan, np.nan
        forecast = self._forecaster.at(time_s, numbers)
        error_m = _distance_m(forecast.xy_m, true_m)
        known = ~np.isnan(error_m)
        if not known.any():
            return np.nan, np.nan, np.nan
        inside = error_m[known] <= forecast.radius_m[known]
        return _mean(error_m), float(np.quantile(error_m[known], 0.95)), float(inside.mean())


def _distance_m(first_m: FloatArray, second_m: FloatArray) -> FloatArray:
    distance: FloatArray = np.hypot(*(first_m - second_m).T)
    return distance


def _mean(values: FloatArray) -> float:
    """Return the mean of the known values; a twin that attached off the road has no position."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan
