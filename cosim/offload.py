"""The story of one task, from its decision to its outcome.

A task runs in its vehicle, at a site's host or in the cloud, or in a neighbour. Whatever ends it early is a `Failure`,
thrown into the story by the part that it waits for; it becomes the status in the one row that records the task's life.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from functools import partial
from math import isnan, nan

from cosim.compute import Execution, Host, QueueFull
from cosim.energy import EnergyMeter, transmit_energy_j
from cosim.journey import BudgetSpent, DeadlinePassed, Decision, Journey, RunOver
from cosim.kernel.clock import LAST, Clock, Story, Wait
from cosim.keys.request_queue import GrantedKey, QueuedKeyRequest
from cosim.keys.service import KeyService
from cosim.ledger.log import RecordLog
from cosim.part import Part
from cosim.radio.channel import Transfer
from cosim.radio.sidelink import HelperLost
from cosim.tasks.source import Task
from cosim.trace.facts.keys import TaskKeyed
from cosim.trace.facts.run import TaskEnded, TransferMoved
from cosim.trace.store.writer import FactWriter
from cosim.transport import Transport
from cosim.types import NOWHERE, Direction, Failure, KeyState, Phase, Status, Tier, VehicleGone

# Bound here once: looking a member up in its enum costs ten times as much, and a task does it a dozen times.
LOCAL, NEIGHBOUR, EDGE, CLOUD = Tier.LOCAL, Tier.NEIGHBOUR, Tier.EDGE, Tier.CLOUD
UPLINK, BACKHAUL, QUEUE, EXECUTION = Phase.UPLINK, Phase.BACKHAUL, Phase.QUEUE, Phase.EXECUTION
RETURN, DOWNLINK, DONE, KEY = Phase.RETURN, Phase.DOWNLINK, Phase.DONE, Phase.KEY
COMPLETED, LATE, WIRES = Status.COMPLETED, Status.LATE, Direction.WIRES
DRAWN, DOWNGRADED, REFUSED = KeyState.DRAWN, KeyState.DOWNGRADED, KeyState.REFUSED
_UNASKED = GrantedKey(nan, nan, 0, 0)


class Offloading(Part):
    """All tasks that are decided and have not ended."""

    def __init__(
        self,
        clock: Clock,
        transport: Transport,
        hosts: Mapping[int, Host],
        vehicle_host: Callable[[int], Host],
        meter: EnergyMeter | None,
        keys: KeyService | None,
        log: RecordLog | None,
        facts: FactWriter,
        *,
        pinned: bool,
        inference_s: float,
        drop_late: bool,
        receive_power_w: float,
    ) -> None:
        """Keep what the stories use.

        Args:
            clock: simulated time.
            transport: all media that carry bits.
            hosts: processors by node, sites and cloud.
            vehicle_host: returns the processor of a vehicle.
            meter: energy that vehicles have spent of their budgets; None without budgets.
            keys: gives transfers their keys; None where they need none.
            log: records that sites write into the ledger; None without one.
            facts: where outcomes are recorded.
            pinned: whether a vehicle sends straight to its target's site instead of through its serving cell.
            inference_s: time between a decision and its tasks' first step.
            drop_late: whether tasks end at their deadline.
            receive_power_w: power that a vehicle draws while it receives.
        """
        self._clock = clock
        self._transport = transport
        self._channel = transport.channel
        self._hosts = hosts
        self._vehicle_host = vehicle_host
        self._meter = meter
        self._keys = keys
        self._log = log
        self._pinned = pinned
        self._inference_s = inference_s
        self.life: type[Journey] = Journey
        """Class of the lives of tasks."""
        self._story = self._held_up if inference_s > 0.0 or meter is not None else self._travel
        self._drop_late = drop_late
        self._receive_power_w = receive_power_w
        self._record = facts.recorder(TaskEnded)
        self._record_keys = facts.recorder(TaskKeyed)
        self._record_move = facts.recorder(TransferMoved)
        self._since_s = 0.0
        self._inside: dict[int, dict[int, Journey]] = defaultdict(dict)
        """Tasks that vehicles' own processors execute or queue, by vehicle and task; empty where they have ended."""
        self.alive: dict[int, Journey] = {}
        self.alive_number_s = 0.0
        """Integral over time of the number of tasks in `alive`."""

    def begin(self, tasks: Iterable[Task], choices: Iterable[Decision]) -> None:
        """Start the stories of the tasks that were decided at this instant."""
        self.settle()
        for task, choice in zip(tasks, choices, strict=True):
            self.alive[task.task] = journey = self.life(task, choice, self._end)
            journey.story = self._story(journey)
            if self._drop_late:
                self._clock.at(max(task.deadline_s, choice.decided_s), partial(self._expire, task.task), LAST)
            journey.begin()

    # --- the story -------------------------------------------------------------------------------------------------

    def _held_up(self, journey: Journey) -> Story:
        """Wait for the decision's own duration, end the task of a vehicle without energy, then go on."""
        if self._inference_s > 0.0:
            yield self._clock.pause(self._inference_s)
        if self._meter is not None and self._meter.exhausted(journey.task.vehicle):
            raise BudgetSpent
        yield from self._travel(journey)

    def _travel(self, journey: Journey) -> Story:
        """Return the story of one task, by where it is executed."""
        tier = journey.choice.tier
        if tier == LOCAL:
            return self._execute_in_vehicle(journey, journey.task.vehicle)
        return self._help(journey) if tier == NEIGHBOUR else self._offload(journey)

    def _offload(self, journey: Journey) -> Story:
        """Key, uplink, wires to the target, its queue and processor, wires to the vehicle's cell, key, downlink.

        The key of the result ends at the host or, from the cloud, at the cell that the wires led to. If the vehicle
        changes its cell while that key is waited for, the result crosses to the other cell under it.
        """
        channel, keys, task, choice = self._channel, self._keys, journey.task, journey.choice
        pinned = choice.target if self._pinned and choice.tier == EDGE else NOWHERE
        if keys is not None:
            journey.phase = KEY
            journey.up_key = keys.request(
                task.vehicle, self._key_site(journey), task.input_bit, task.priority, task.deadline_s
            )
            yield from _granted(journey.up_key)

        journey.phase = UPLINK
        journey.uplink_s = self._clock.now
        up = channel.uplink(task.vehicle, task.task, task.input_bit, choice.power_w, choice.share, pinned)
        try:
            yield up
        finally:
            journey.uplink_site = up.site
            journey.handovers = up.handovers
            self._pay_radio(journey, task.vehicle, up.energy_j)
        journey.uplinked_s = self._clock.now

        if up.site != choice.target:
            journey.phase = BACKHAUL
            yield from self._transport.wires.carry(task.input_bit, up.site, choice.target)

        execution = self._queue(journey, self._hosts.get(choice.target), task.edge_cycles, choice.cpu_share)
        try:
            yield execution
        finally:
            self._executed(journey, execution)
            journey.edge_cpu_j = execution.energy_j

        at = choice.target
        if pinned == NOWHERE and channel.serving(task.vehicle) != at:
            at = yield from self._carry_back(journey, at, moved=False)

        if keys is not None:
            journey.phase = KEY
            site = choice.target if choice.tier == EDGE else at
            journey.down_key = keys.request(task.vehicle, site, task.output_bit, task.priority, task.deadline_s)
            yield from _granted(journey.down_key)
            if pinned == NOWHERE and channel.serving(task.vehicle) != at:
                at = yield from self._carry_back(journey, at, moved=True)

        journey.phase = DOWNLINK
        journey.downlink_from_site = at if task.vehicle in channel.air.row else NOWHERE
        journey.downlink_s = self._clock.now
        down = channel.downlink(task.vehicle, task.task, task.output_bit, pinned)
        try:
            yield down
        finally:
            journey.downlink_site = down.site
            journey.handovers += down.handovers
            if self._receive_power_w > 0.0:
                self._pay_radio(journey, task.vehicle, transmit_energy_j(self._receive_power_w, down.active_s))

    def _carry_back(self, journey: Journey, start: int, *, moved: bool) -> Generator[Wait, None, int]:
        """Carry the result over wires until it is at the site that serves its vehicle, and return that site.

        It waits where it is while no site does, and crosses again from where another one serves at its arrival. For a
        vehicle that has left the map there is nothing to do.

        Args:
            journey: the task's.
            start: site or cloud where the result is.
            moved: whether the result was on its way already, so that a crossing is recorded as a move.
        """
        channel, wires, task, at = self._channel, self._transport.wires, journey.task, start
        vehicle, size_bit = task.vehicle, task.output_bit
        while vehicle in channel.air.row and (serving := channel.serving(vehicle)) != at:
            journey.phase = RETURN
            if serving == NOWHERE:
                self._record_move(self._clock.now, task.task, WIRES, at, NOWHERE, size_bit)
                yield channel.coverage(vehicle)
                self._record_move(self._clock.now, task.task, WIRES, NOWHERE, channel.serving(vehicle), size_bit)
                moved = False
                continue
            if moved:
                self._record_move(self._clock.now, task.task, WIRES, at, serving, size_bit)
            yield from wires.carry(size_bit, at, serving)
            journey.wire_bit += size_bit * wires.hops(at, serving)
            at, moved = serving, True
        return at

    def _help(self, journey: Journey) -> Story:
        """Sidelink to a neighbour, its processor, sidelink back, each way under a key."""
        keys, task, helper = self._keys, journey.task, journey.choice.target
        if keys is not None:
            journey.phase = KEY
            journey.up_key = keys.request_pair(task.vehicle, helper, task.input_bit, task.priority, task.deadline_s)
            yield from _granted(journey.up_key)

        journey.phase = UPLINK
        journey.uplink_s = self._clock.now
        yield from self._sidelink(journey, helper, task.vehicle, task.input_bit)
        journey.uplinked_s = self._clock.now
        yield from self._execute_in_vehicle(journey, helper)

        if keys is not None:
            journey.phase = KEY
            journey.down_key = keys.request_pair(task.vehicle, helper, task.output_bit, task.priority, task.deadline_s)
            yield from _granted(journey.down_key)

        journey.phase = DOWNLINK
        journey.downlink_s = self._clock.now
        yield from self._sidelink(journey, helper, helper, task.output_bit)

    def _sidelink(self, journey: Journey, helper: int, sender: int, size_bit: float) -> Story:
        sidelink, choice = self._transport.sidelink, journey.choice
        assert sidelink is not None  # noqa: S101 - neighbours are offered only with a sidelink
        owner = journey.task.vehicle
        back, task = sender != owner, journey.task.task
        transfer = sidelink.send(owner, helper, size_bit, choice.power_w, choice.share, back=back, task=task)
        try:
            yield transfer
        finally:
            self._pay_radio(journey, sender, transfer.energy_j)

    def _execute_in_vehicle(self, journey: Journey, vehicle: int) -> Story:
        """Execute in a vehicle's own processor, which leaves with the vehicle."""
        task = journey.task
        if vehicle not in self._channel.air.row:
            raise VehicleGone if vehicle == task.vehicle else HelperLost
        execution = self._queue(journey, self._vehicle_host(vehicle), task.vehicle_cycles, 1.0)
        self._inside[vehicle][task.task] = journey
        try:
            yield execution
        finally:
            del self._inside[vehicle][task.task]
            self._executed(journey, execution)
            journey.vehicle_cpu_j = energy_j = execution.energy_j
            if self._meter is not None:
                self._meter.spend(vehicle, energy_j)

    # --- its steps -------------------------------------------------------------------------------------------------

    def _key_site(self, journey: Journey) -> int:
        """Return the site whose node shares the key: the one that computes or, for the cloud, the serving one."""
        choice = journey.choice
        return choice.target if choice.tier == EDGE else self._channel.serving(journey.task.vehicle)

    def _queue(self, journey: Journey, host: Host | None, cycles: float, share: float) -> Execution:
        journey.phase = QUEUE
        if host is None:
            raise QueueFull  # a site that is radio only
        execution = host.execute(cycles, journey.task.priority, share)
        journey.queued_s = self._clock.now
        return execution

    def _executed(self, journey: Journey, execution: Execution) -> None:
        journey.started_s = started_s = execution.started_s
        if not isnan(started_s):
            journey.phase = EXECUTION
        if execution.error is None:
            journey.executed_s = self._clock.now

    def _pay_radio(self, journey: Journey, sender: int, energy_j: float) -> None:
        """Count the energy of a vehicle's radio."""
        journey.transmit_j += energy_j
        if self._meter is not None:
            self._meter.spend(sender, energy_j)

    def _end(self, journey: Journey, failure: Failure | None) -> None:
        """Record the task: its result is back, or a failure has ended it."""
        now = self._clock.now
        task, choice = journey.task, journey.choice
        if failure is not None:
            status = failure.status
            failure.__traceback__ = None  # else its frames keep the wait alive and the wait keeps the failure
        else:
            journey.phase = DONE
            status = COMPLETED if now <= task.deadline_s else LATE
        self.alive_number_s += (now - self._since_s) * len(self.alive)
        self._since_s = now
        del self.alive[task.task]
        self._record(
            now, task.task, task.vehicle, status, journey.phase, choice.tier, choice.target,
            journey.uplink_site, journey.downlink_site, journey.handovers, task.released_s, task.deadline_s,
            choice.decided_s, journey.uplink_s, journey.uplinked_s, journey.queued_s, journey.started_s,
            journey.executed_s, journey.downlink_s, journey.transmit_j, journey.vehicle_cpu_j, journey.edge_cpu_j,
            journey.downlink_from_site, journey.wire_bit,
        )  # fmt: skip
        up, down = journey.up_key, journey.down_key
        if up is not None or down is not None:
            self._tell_keys(journey)
        if self._log is not None and choice.tier in (EDGE, CLOUD):
            site = choice.target if choice.tier == EDGE else journey.uplink_site
            if site != NOWHERE:
                key_bit = (up.bit if up is not None else 0) + (down.bit if down is not None else 0)
                self._log.offload(
                    site, now, task.task, task.vehicle, status, task.released_s, journey.edge_cpu_j, key_bit
                )

    def _tell_keys(self, journey: Journey) -> None:
        task, up, down = journey.task, journey.up_key or _UNASKED, journey.down_key or _UNASKED
        state = DRAWN
        if journey.phase == KEY:
            state = REFUSED
        elif isnan(up.keyed_s) != isnan(up.asked_s) or isnan(down.keyed_s) != isnan(down.asked_s):
            state = DOWNGRADED
        self._record_keys(
            self._clock.now, task.task, task.vehicle, state, up.asked_s, up.keyed_s, up.bit, up.hops,
            down.asked_s, down.keyed_s, down.bit, down.hops,
        )  # fmt: skip

    # --- what ends it from outside ---------------------------------------------------------------------------------

    def leave(self, gone: Collection[int]) -> None:
        """Cancel the executions in the processors of vehicles that have left, in order of their tasks."""
        inside = [life for vehicle in gone for life in self._inside[vehicle].values()]
        for life in sorted(inside, key=lambda life: (_runs(life), life.task.task)):
            life.cancel(VehicleGone() if life.task.vehicle in gone else HelperLost())
        for vehicle in gone:
            del self._inside[vehicle]

    def refuse(self, task: Task, status: Status, time_s: float) -> None:
        """Record a task that ends undecided.

        Args:
            task: the task.
            status: how it ended.
            time_s: when it ended.
        """
        nothing = nan
        self._record(
            time_s, task.task, task.vehicle, status, Phase.DECISION, NOWHERE, NOWHERE, NOWHERE, NOWHERE, 0,
            task.released_s, task.deadline_s, nothing, nothing, nothing, nothing, nothing, nothing, nothing,
            0.0, 0.0, 0.0, NOWHERE, 0.0,
        )  # fmt: skip

    def end_all(self) -> None:
        """End what is still alive as in flight, at the end of the run; parts finish later and record what is left."""
        lives = sorted(self.alive.values(), key=_runs)
        self._channel.stop(life.wait for life in lives if isinstance(life.wait, Transfer))
        for life in lives:
            life.cancel(RunOver())

    def settle(self) -> None:
        """Bring the totals up to now."""
        now = self._clock.now
        self.alive_number_s += (now - self._since_s) * len(self.alive)
        self._since_s = now

    def _expire(self, task: int) -> None:
        life = self.alive.get(task)
        if life is not None:
            life.cancel(DeadlinePassed())


def _granted(key: GrantedKey | QueuedKeyRequest | None) -> Story:
    """Wait for a key that is not there yet; None is no new key."""
    if isinstance(key, QueuedKeyRequest) and not key.ready:
        yield key


def _runs(life: Journey) -> bool:
    """Return whether a processor works on it. Such tasks are cancelled last, so that no other gets their core."""
    return isinstance(life.wait, Execution) and not isnan(life.wait.started_s)
