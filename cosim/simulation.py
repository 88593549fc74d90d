"""The composition root: builds the parts of a run and turns its clock from one decision epoch to the next."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from itertools import repeat
from pathlib import Path

import numpy as np

from cosim.assembly import make_hosts, make_keys, make_ledger, make_twin, state_source
from cosim.collector import quiet_collector
from cosim.compute import Host, QueueHost
from cosim.decision import Action, DecisionEpoch, Observation, Policy
from cosim.energy import EnergyMeter
from cosim.journey import Choice
from cosim.kernel.clock import LAST, Clock
from cosim.mobility.connect import connect, placed_sites
from cosim.mobility.source import MobilityFrame, MobilitySource
from cosim.observe import Observer
from cosim.offload import Offloading
from cosim.radio.channel import Channel
from cosim.radio.sidelink import SidelinkChannel
from cosim.sampling import Sampler
from cosim.scenario.schema import Scenario
from cosim.state import Truth
from cosim.tasks.source import Releases, Task, Waiting, as_tasks, task_source
from cosim.topology import build_topology
from cosim.trace.facts.run import (
    SiteDeployed,
    TaskDecided,
    TaskReleased,
    TeleportEnded,
    TeleportStarted,
    VehicleEntered,
    VehicleLeft,
    VehicleMoved,
)
from cosim.trace.store.writer import FactWriter, NullWriter
from cosim.transport import Transport, Wires
from cosim.types import AnyArray, FloatArray, Status

_KNOBS = {
    "share": "share",
    "power_w": "power",
    "cpu_share": "cpu_share",
    "detector": "detector",
    "proposer": "proposer",
}
_RELEASED = tuple(field.name for field in fields(Releases))


class Simulation:
    """One run. `advance` gives the next decision epoch, `decide` answers it; `run` does both until the end."""

    def __init__(
        self,
        scenario: Scenario,
        facts: FactWriter | None = None,
        folder: Path = Path(),
        source: MobilitySource | None = None,
    ) -> None:
        """Build all parts.

        Args:
            scenario: what to run.
            facts: where facts go; nowhere by default.
            folder: relative paths of the scenario start here.
            source: traffic to use instead of the scenario's own.

        Raises:
            InputError: the scenario names something that is not there.
            RunError: the traffic source broke.
        """
        self.scenario = scenario
        self.clock = clock = Clock()
        self.facts = facts = facts or NullWriter()
        self.source = source or connect(scenario.mobility, scenario.map, folder, scenario.seed, scenario.duration_s)
        try:
            self.sites = placed_sites(scenario, folder, self.source.bounds_m)
            self._build(facts, folder)
        except BaseException:
            self.source.close()
            raise
        self._epoch: DecisionEpoch | None = None
        self._decided: dict[str, AnyArray] | None = None
        self._over = False
        self._ignored: dict[str, str] = {}
        self._frame: MobilityFrame
        self._off_road: frozenset[int] = frozenset()
        clock.every(scenario.mobility.step_s, self._tick)
        clock.every(scenario.trace.sample_s, self._sample, first=1, priority=LAST)
        if scenario.decisions.kind == "periodic":
            clock.every(scenario.decisions.period_s, self._decide_due, first=1, priority=LAST)
        clock.at(scenario.duration_s, self._finish, priority=LAST + 1)

    def _build(self, facts: FactWriter, folder: Path) -> None:
        scenario, clock = self.scenario, self.clock
        xy_m = np.array([(site.x_m, site.y_m) for site in self.sites])
        self.topology = build_topology(xy_m, scenario.backhaul, scenario.cloud)
        self.hosts = make_hosts(clock, scenario, self.sites, self.topology.cloud)
        self._vehicle_hosts: dict[int, Host] = {}
        self.channel = Channel(clock, scenario.radio, xy_m, scenario.seed, facts)
        sidelink = scenario.radio.sidelink
        self.sidelink = (
            None if sidelink is None else SidelinkChannel(clock, scenario.radio, sidelink, xy_m, scenario.seed)
        )
        self.transport = Transport(self.channel, Wires(clock, self.topology), self.sidelink)
        self.ledger = make_ledger(clock, scenario, self.sites, self.hosts, self.transport.wires, facts)
        log = None if self.ledger is None else self.ledger.log
        self.keys = make_keys(clock, scenario, self.sites, self.channel, log, facts)
        self.twin = make_twin(clock, scenario, folder, self.topology, self.transport, self.hosts, facts)
        source = state_source(scenario, self.twin, self.channel, self.hosts, self.topology)
        demand = None if self.twin is None else self.twin.demand
        self._observer_of = partial(
            Observer,
            scenario,
            self.topology,
            self.transport,
            hosts=self.hosts,
            vehicle_host=self._vehicle_hosts.get,
            keys=self.keys,
            ledger=self.ledger,
            demand=demand,
        )
        self.observer = self._observer_of(source=source)
        self._true_observer: Observer | None = None
        budget_j = scenario.energy.vehicle_budget_j
        self.meter = None if budget_j is None else EnergyMeter(budget_j)
        self.offloading = Offloading(
            clock,
            self.transport,
            self.hosts,
            self._vehicle_host,
            self.meter,
            self.keys,
            log,
            facts,
            pinned=scenario.radio.association == "target",
            inference_s=scenario.decisions.inference_s,
            drop_late=scenario.tasks.on_deadline == "drop",
            receive_power_w=scenario.energy.receive_power_w,
        )
        self.tasks = task_source(scenario.tasks, scenario.seed, folder)
        self.waiting = Waiting()
        self._record_entry = facts.recorder(VehicleEntered)
        self._record_left = facts.batch(VehicleLeft)
        self._record_teleport = facts.batch(TeleportStarted)
        self._record_back = facts.batch(TeleportEnded)
        self._record_positions = facts.batch(VehicleMoved)
        self._record_releases = facts.batch(TaskReleased)
        self._record_decisions = facts.batch(TaskDecided)
        self._sampler = Sampler(clock, facts, self.hosts, self.transport, self.offloading, self.keys, self.twin)
        deployed = facts.recorder(SiteDeployed)
        for node in range(self.topology.sites + (self.topology.cloud is not None)):
            host = self.hosts.get(node)
            x_m, y_m = xy_m[node] if node < len(xy_m) else (np.nan, np.nan)
            name = self.sites[node].name if node < len(xy_m) else "cloud"
            deployed(0.0, node, name, x_m, y_m, host.cores if host else 0, host.core_hz if host else 0.0)

    def _vehicle_host(self, number: int) -> Host:
        host = self._vehicle_hosts.get(number)
        if host is None:
            vehicle = self.scenario.compute.vehicle
            core_hz = float(self.observer.vehicle_core_hz[number])
            host = QueueHost(self.clock, core_hz, 1, vehicle.kappa, vehicle.queue_limit)
            self._vehicle_hosts[number] = host
        return host

    # --- the loop --------------------------------------------------------------------------------------------------

    def advance(self) -> DecisionEpoch | None:
        """Run to the next epoch at which tasks wait; None when the scenario's duration is over."""
        if self._epoch is not None:
            raise RuntimeError("this epoch waits for decide()")
        if not self._over:
            self.clock.advance()
        return self._epoch

    def true_observation(self) -> Observation:
        """What the epoch that waits would show if decisions.observation were truth: what choices are charged on."""
        if self._decided is None or self._epoch is None:
            raise RuntimeError("no epoch waits for a decision")
        if self.scenario.decisions.observation == "truth":
            return self._epoch.observation
        if self._true_observer is None:
            nodes = self.topology.sites + (self.topology.cloud is not None)
            self._true_observer = self._observer_of(source=Truth(self.channel, self.hosts, nodes))
        self._true_observer.vehicle_core_hz = self.observer.vehicle_core_hz
        return self._true_observer.observe(self.clock.now, self._decided)

    def decide(self, action: Action) -> None:
        """Answer the epoch; its tasks go their ways when the clock goes on."""
        if self._decided is None or self._epoch is None:
            raise RuntimeError("no epoch waits for a decision")
        columns, observation = self._decided, self._epoch.observation
        self._decided = self._epoch = None
        self._start(as_tasks(columns), observation, action)

    def run(self, policy: Policy, progress: Callable[[float], None] | None = None) -> None:
        """Run to the end under a policy.

        Args:
            policy: answers each epoch.
            progress: told the simulated time now and then.
        """
        with quiet_collector():
            while (epoch := self.advance()) is not None:
                if progress is not None:
                    progress(epoch.time_s)
                self.decide(policy.decide(epoch.observation))

    def notes(self) -> Iterator[str]:
        """What a person should know about the run that no fact tells."""
        for name, knob in sorted(self._ignored.items()):
            yield f"the policy turned {name}, which decisions.knobs does not hand over; add {knob} to it"
        if self.tasks.dropped:
            yield f"{self.tasks.dropped} arrivals were left out: their vehicles were not on the map at the time"

    def close(self) -> None:
        """End the traffic source; may be called twice."""
        self.source.close()

    # --- what happens at a tick ------------------------------------------------------------------------------------

    def _tick(self, tick: int) -> None:
        now = self.clock.now
        frame = self.source.advance(tick)
        self._frame = frame
        for entry in frame.entered:
            self._record_entry(now, *entry)
        self.observer.enter([entry.number for entry in frame.entered])
        if len(frame.left):
            self._record_left(time_s=now, vehicle=frame.left)
        self.channel.tick(frame.numbers, frame.xy_m, frame.left, tick)
        if self.sidelink is not None:
            self.sidelink.tick(frame.numbers, frame.xy_m, self.channel.air.row)
        if self.twin is not None:
            self.twin.tick(frame, tick)
        if self.keys is not None and frame.entered:
            entered = [entry.number for entry in frame.entered]
            self.keys.enter(entered, frame.xy_m[np.searchsorted(frame.numbers, entered)])
        if len(frame.left):
            gone = frozenset(frame.left.tolist())
            if self.keys is not None:
                self.keys.leave(frame.left.tolist())
            self.offloading.leave(gone)
            for vehicle in gone:
                self._vehicle_hosts.pop(vehicle, None)
        for task in self.waiting.drop(frame.left):
            self.offloading.refuse(task, Status.LEFT, now)
        self._teleports(frame)
        if self.facts.records and self.scenario.trace.positions and len(frame.numbers):
            self._tell_positions(frame)
        if self.ledger is not None:
            self.ledger.tick()
        self._release(frame, now, min((tick + 1) * self.source.step_s, self.scenario.duration_s))
        self.facts.tick(now)

    def _tell_positions(self, frame: MobilityFrame) -> None:
        self._record_positions(
            time_s=self.clock.now,
            vehicle=frame.numbers,
            x_m=frame.xy_m[:, 0],
            y_m=frame.xy_m[:, 1],
            speed_mps=frame.speed_mps,
            site=self.channel.air.serving,
        )

    def _teleports(self, frame: MobilityFrame) -> None:
        on_road = frame.on_road
        if np.count_nonzero(on_road) == len(on_road) and not self._off_road:
            return
        off_road = frozenset(frame.numbers[~on_road].tolist())
        started = np.array(sorted(off_road - self._off_road), np.int64)
        ended = np.array(sorted((self._off_road - off_road).intersection(frame.numbers.tolist())), np.int64)
        if len(started):
            self._record_teleport(time_s=frame.time_s, vehicle=started)
        if len(ended):
            self._record_back(time_s=frame.time_s, vehicle=ended)
        self._off_road = off_road

    def _release(self, frame: MobilityFrame, start_s: float, end_s: float) -> None:
        self.tasks.enter(frame.entered)
        if end_s <= start_s:
            return
        releases = self.tasks.draw(frame, start_s, end_s)
        if not len(releases):
            return
        if self.twin is not None:
            rows = self.channel.air.numbers.searchsorted(releases.vehicle)
            self.twin.demand.released(releases.time_s, releases.vehicle, self.channel.air.serving[rows])
        if self.facts.records:
            self._record_releases(**{name: getattr(releases, name) for name in _RELEASED})
        self.waiting.add(releases)
        if self.scenario.decisions.kind == "per_task":
            for time_s in np.unique(releases.time_s).tolist():
                self.clock.at(time_s, partial(self._decide_due, 0), LAST)

    # --- what happens at an epoch ----------------------------------------------------------------------------------

    def _decide_due(self, _: int) -> None:
        """Halt the clock if tasks wait."""
        count = self.waiting.due(self.clock.now)
        if not count:
            return
        columns = self.waiting.take(count)
        if self.scenario.tasks.on_deadline == "drop":
            in_time = columns["deadline_s"] > self.clock.now
            for task in as_tasks({name: values[~in_time] for name, values in columns.items()}):
                self.offloading.refuse(task, Status.EXPIRED, task.deadline_s)
            columns = {name: values[in_time] for name, values in columns.items()}
            if not in_time.any():
                return
        self._decided = columns
        self._epoch = DecisionEpoch(self.clock.now, self.observer.observe(self.clock.now, columns))
        self.clock.halt()

    def _start(self, tasks: list[Task], observation: Observation, action: Action) -> None:
        knobs = self.scenario.decisions.knobs
        count = len(tasks)
        target_given = "target" in knobs
        option = np.asarray(action.option, np.int64) if target_given else observation.expected_s.argmin(axis=1)
        share = _knob(action.share if "share" in knobs else None, count, 1.0, 1.0)
        cpu_share = _knob(action.cpu_share if "cpu_share" in knobs else None, count, 1.0, 1.0)
        power_w = _knob(
            action.power_w if "power" in knobs else None,
            count,
            self.scenario.radio.vehicle_power_w,
            observation.max_power_w,
        )
        if self.keys is not None and action.detector is not None and "detector" in knobs:
            self.keys.set_detector(np.asarray(action.detector, float))
        if self.ledger is not None and action.proposer is not None and "proposer" in knobs:
            self.ledger.suggest(int(action.proposer))
        for name, knob in _KNOBS.items():
            if getattr(action, name) is not None and knob not in knobs:
                self._ignored[name] = knob
        place = np.arange(0, observation.tier.size, observation.tier.shape[1]) + option  # in the flattened tables
        tier, target = observation.tier.take(place), observation.target.take(place)
        now = self.clock.now
        if self.facts.records:
            self._record_decisions(
                time_s=now,
                task=observation.task,
                tier=tier,
                target=target,
                share=share,
                power_w=power_w,
                cpu_share=cpu_share,
                expected_s=observation.expected_s.take(place),
                alone_bps=observation.alone_bps.take(place),
                clean_bps=observation.clean_bps.take(place),
            )
        columns = (tier.tolist(), target.tolist(), share, power_w, cpu_share)
        choices = map(partial(tuple.__new__, Choice), zip(repeat(now), *columns, strict=False))
        self.offloading.begin(tasks, choices)

    # --- the end ---------------------------------------------------------------------------------------------------

    def _sample(self, _: int) -> None:
        self._sampler.sample(self._frame, self.waiting.due(self.clock.now))

    def _finish(self) -> None:
        """The duration is over: whatever still lives is in flight."""
        now = self.clock.now
        if (now / self.scenario.trace.sample_s) % 1.0:
            self._sample(0)
        self.offloading.finish()
        if self.keys is not None:
            self.keys.finish()
        if self.ledger is not None:
            self.ledger.finish()
        if self.twin is not None:
            self.twin.finish()
        for task in as_tasks(self.waiting.take(len(self.waiting))):
            self.offloading.refuse(task, Status.IN_FLIGHT, now)
        self._over = True
        self.clock.halt()


def _knob(given: FloatArray | None, count: int, default: float, most: float) -> list[float]:
    """What a policy turned, kept in (0, most]; the default where it has no say."""
    return [default] * count if given is None else within(given, most).tolist()


def within(given: FloatArray, most: float) -> FloatArray:
    """What a policy turned, kept in (0, most]."""
    kept: FloatArray = np.clip(np.asarray(given, float), 1e-6 * most, most)
    return kept
