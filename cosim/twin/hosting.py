"""The hosts of twins in a run: twins are made as vehicles enter, move between hosts, and end with them (S5, S2).

Making a twin and moving one load the run's own radio and wires, beside everything else. S5 eq 17 is then an outcome:
upload and computation one after the other. A twin on its way holds its place at both ends, so that no host ever has
more than it can carry, and messages sent to it during its downtime are lost. Left out: the energy of uploads, which
belong to no task.
"""

from collections.abc import Generator

import numpy as np

from cosim.distributions import keyed_draw
from cosim.kernel.clock import Clock, Life, Story, Wait
from cosim.kernel.rng import stream, stream_key
from cosim.mobility.source import MobilityFrame
from cosim.scenario.section import Distribution
from cosim.scenario.twin_placement import TwinPlacement
from cosim.trace.facts.twin import TwinHostSampled, TwinMoved
from cosim.trace.store.writer import FactWriter
from cosim.transport import Transport
from cosim.twin.hosting_costs import MigrationPlanner, PlacementProblems
from cosim.twin.mirror import capture
from cosim.twin.placing.policies import placing_policy
from cosim.twin.tracks import ColumnStore
from cosim.types import NOWHERE, Failure, FloatArray, IntArray, VehicleGone


class _OnItsWay(Life):
    """The creation or the migration of a twin; nothing waits for its end."""

    def ended(self, failure: Failure | None) -> None:
        """Do nothing: the story itself has freed what it held."""


class Hosting:
    """All twins of a run and their hosts."""

    def __init__(
        self,
        clock: Clock,
        plan: TwinPlacement,
        transport: Transport,
        problems: PlacementProblems,
        seed: int,
        facts: FactWriter,
    ) -> None:
        """Begin without twins.

        Args:
            clock: simulated time.
            plan: section `twin.placement` of the scenario.
            transport: media, shared with the tasks.
            problems: makes the placement problems from what the mirror knows; holds the hosts.
            seed: seed of state sizes and of the policy `random`.
            facts: where all facts are recorded.
        """
        self._clock = clock
        self._plan = plan
        self._channel = transport.channel
        self._wires = transport.wires
        self._problems = problems
        self._hosts = problems.hosts
        self._seed = seed
        self._policy = placing_policy(plan.policy, stream(seed, "twin/placement/random"))
        rule = plan.migration
        self._planner = None if rule is None else MigrationPlanner(rule, self._policy, problems)
        self._home = ColumnStore(node=NOWHERE)
        """By vehicle: the node at which its twin answers."""
        self._standing: dict[int, int] = {}
        """Hosts of twins that stand, by vehicle."""
        self._waiting: dict[int, bool] = {}
        """Vehicles whose twins have no host; whether that was recorded."""
        self._lives: dict[int, _OnItsWay] = {}
        self._frame: MobilityFrame
        self._record_moved = facts.recorder(TwinMoved)
        self._record_hosts = facts.batch(TwinHostSampled)
        clock.every(plan.period_s, self._review, first=1)

    def home(self, numbers: IntArray) -> IntArray:
        """Return the nodes at which the twins of vehicles answer; NOWHERE for one not made yet or in its downtime."""
        return self._home.node[numbers]

    def tick(self, frame: MobilityFrame) -> None:
        """Make twins of vehicles that have entered and end those of vehicles that have left, after the mirror did."""
        self._frame = frame
        for vehicle in frame.left.tolist():
            self._end(vehicle)
        if frame.entered:
            entered = [entry.number for entry in frame.entered]
            self._home.reach(max(entered) + 1)
            self._waiting.update(dict.fromkeys(entered, False))
            self._make(entered)

    def sample(self) -> None:
        """Record how full the hosts are."""
        hosts = self._hosts
        self._record_hosts(time_s=self._clock.now, node=hosts.nodes, twins=hosts.held, capacity=hosts.capacity)

    # --- decisions -------------------------------------------------------------------------------------------------

    def _review(self, _: int) -> None:
        if self._waiting:
            self._make(list(self._waiting))
        if self._planner is not None and self._standing:
            self._rearrange(self._planner)

    def _make(self, vehicles: list[int]) -> None:
        """Find hosts for twins that have none, in one placement problem."""
        numbers, now = np.array(vehicles, dtype=np.int64), self._clock.now
        data_bit = self._drawn(self._plan.creation.data_bit, "data", numbers)
        told = capture(self._frame, self._channel.air, np.searchsorted(self._frame.numbers, numbers))
        chosen = self._policy(self._problems.to_create(told, data_bit))
        for vehicle, host, bit in zip(vehicles, chosen.tolist(), data_bit.tolist(), strict=True):
            if host != NOWHERE:
                self._set_out(vehicle, host, self._create(vehicle, host, bit))
            elif not self._waiting[vehicle]:
                self._waiting[vehicle] = True
                self._record_moved(now, vehicle, NOWHERE, NOWHERE, now, now, 0.0)

    def _rearrange(self, planner: MigrationPlanner) -> None:
        numbers = np.fromiter(self._standing, np.int64, len(self._standing))
        current = np.fromiter(self._standing.values(), np.int64, len(self._standing))
        state_bit = self._drawn(planner.rule.state_bit, "state", numbers)
        wanted = planner.where(numbers, current, state_bit)
        for row in np.flatnonzero(wanted != current).tolist():
            vehicle, start, end = int(numbers[row]), int(current[row]), int(wanted[row])
            move = self._move(vehicle, start, end, float(state_bit[row]), planner)
            self._set_out(vehicle, end, move)

    def _drawn(self, size: Distribution, what: str, numbers: IntArray) -> FloatArray:
        return keyed_draw(size, stream_key(self._seed, f"twin/placement/{what}"), numbers)

    # --- the lives of twins ----------------------------------------------------------------------------------------

    def _set_out(self, vehicle: int, host: int, story: Story) -> None:
        self._waiting.pop(vehicle, None)
        self._standing.pop(vehicle, None)
        self._hosts.held[host] += 1
        self._lives[vehicle] = life = _OnItsWay(story)
        life.begin()

    def _create(self, vehicle: int, host: int, data_bit: float) -> Story:
        """Upload data and compute, S5 eq 17; if the upload fails, the twin waits for the next decision."""
        began_s, node = self._clock.now, int(self._hosts.nodes[host])
        cycles = data_bit * self._plan.creation.cycles_per_bit
        pinned = node if self._problems.direct(node) else NOWHERE
        upload = self._channel.uplink(vehicle, NOWHERE, data_bit, self._problems.power_w, 1.0, pinned)
        try:
            yield upload
            yield from self._wires.carry(data_bit, upload.site, node)
            yield self._clock.pause(cycles / float(self._hosts.share_hz[host]))
        except Failure:
            self._hosts.held[host] -= 1
            self._lives.pop(vehicle)
            self._waiting[vehicle] = False
            return
        self._record_moved(self._clock.now, vehicle, NOWHERE, node, began_s, began_s, data_bit)
        self._stand(vehicle, host)

    def _move(self, vehicle: int, start: int, end: int, state_bit: float, planner: MigrationPlanner) -> Story:
        """Copy the state while the twin goes on, stop it and copy the rest, then restart it."""
        began_s, here, there = self._clock.now, int(self._hosts.nodes[start]), int(self._hosts.nodes[end])
        sent_bit, rest_bit = 0.0, state_bit
        try:
            for _ in range(planner.rounds(start, end)):
                since_s = self._clock.now
                yield from self._wires.carry(rest_bit, here, there)
                sent_bit += rest_bit
                rest_bit = min(state_bit, planner.rule.dirty_bps * (self._clock.now - since_s))
            still_s = self._clock.now
            self._home.node[vehicle] = NOWHERE
            yield from self._last_copy(rest_bit, here, there, planner.rule.restart_s)
        except VehicleGone:
            self._hosts.held[[start, end]] -= 1
            self._lives.pop(vehicle)
            return
        self._hosts.held[start] -= 1
        self._record_moved(self._clock.now, vehicle, here, there, began_s, still_s, sent_bit + rest_bit)
        self._stand(vehicle, end)

    def _last_copy(self, rest_bit: float, here: int, there: int, restart_s: float) -> Generator[Wait, None, None]:
        yield from self._wires.carry(rest_bit, here, there)
        yield self._clock.pause(restart_s)

    def _stand(self, vehicle: int, host: int) -> None:
        self._lives.pop(vehicle)
        self._standing[vehicle] = host
        self._home.node[vehicle] = self._hosts.nodes[host]

    def _end(self, vehicle: int) -> None:
        """Free what the twin of a vehicle that has left holds."""
        life = self._lives.get(vehicle)
        if life is not None:
            life.cancel(VehicleGone())
        host = self._standing.pop(vehicle, None)
        if host is not None:
            self._hosts.held[host] -= 1
        self._waiting.pop(vehicle, None)
        self._home.node[vehicle] = NOWHERE
