"""Synchronisation of vehicles' twins: messages over the run's radio and wires, one flow for each cell and tick.

At a tick the scheduler selects the senders. The messages of one cell are one bundle in its uplink, beside the tasks'
transfers, which are slowed by it. A message that is not lost on the air goes on over the wires to the node on which the
vehicle's twin lives, and is applied there. Left out: the energy that vehicles spend on messages, which belong to no
task, and acknowledgements.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from cosim.kernel.clock import Clock, Life, Story
from cosim.kernel.fluid import Flow
from cosim.kernel.rng import keyed_uniform, stream_key
from cosim.mobility.source import MobilityFrame
from cosim.scenario.twin import Twin
from cosim.trace.facts.twin import TwinSynced, TwinUplinked
from cosim.trace.store.writer import FactWriter
from cosim.transport import Transport
from cosim.twin.forecast import MotionForecaster
from cosim.twin.mirror import Mirror, Snapshot, capture
from cosim.twin.scheduler import Scene, Scheduler
from cosim.twin.tracks import ColumnStore
from cosim.types import NOWHERE, BoolArray, FloatArray, IntArray

Home: TypeAlias = Callable[[IntArray], IntArray]
"""Nodes on which the twins of vehicles live, (V,) to (V,); NOWHERE for a twin that is on its way or has no room."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """The messages of one cell and tick."""

    site: int
    states: Snapshot
    lost: BoolArray

    @property
    def began_s(self) -> float:
        return float(self.states.generated_s[0])


class Synchronisation:
    """The messages from vehicles to their twins."""

    def __init__(
        self,
        clock: Clock,
        plan: Twin,
        transport: Transport,
        mirror: Mirror,
        scheduler: Scheduler,
        forecaster: MotionForecaster | None,
        home: Home | None,
        power_w: float,
        seed: int,
        facts: FactWriter,
    ) -> None:
        """Begin with no vehicle on the map.

        Args:
            clock: simulated time.
            plan: section `twin` of the scenario.
            transport: media, shared with the tasks.
            mirror: updated by the messages.
            scheduler: selects the senders of a tick.
            forecaster: observes each state that is received; None: no forecasts.
            home: where twins live; None: at the site that received the message, without wires.
            power_w: transmit power of the vehicles.
            seed: seed of the losses.
            facts: where all facts are recorded.
        """
        self._clock = clock
        self._plan = plan
        self._channel = transport.channel
        self._wires = transport.wires
        self._mirror = mirror
        self._scheduler = scheduler
        self._forecaster = forecaster
        self._home = home
        self._power_w = power_w
        self._loss_key = stream_key(seed, "twin/loss")
        self._record_uplinked = facts.recorder(TwinUplinked)
        self._record_synced = facts.batch(TwinSynced)
        self._on_air: dict[Flow, _Sent] = {}
        self._awaited = ColumnStore(since_s=-np.inf)
        """By vehicle number: time of the newest state on its way or received; -inf once it was lost."""
        self.sent = 0
        """Messages sent. One whose vehicle leaves before it arrives is neither received nor lost."""
        self.received = 0
        self.lost = 0

    def tick(self, frame: MobilityFrame, tick: int) -> None:
        """Take in a frame, once the radio conditions of its vehicles are known, and send the messages that are due."""
        if len(frame.left):
            self._part(frame.left)
        if not len(frame.numbers):
            return
        if frame.entered:
            self._attach(frame)
        if self._scheduler.rests(tick):
            return
        air, numbers = self._channel.air, frame.numbers
        newest_s = np.maximum(self._mirror.generated_s(numbers), self._awaited.since_s[numbers])
        able = (air.serving >= 0) & (newest_s < frame.time_s)
        scene = Scene(tick, frame.time_s, numbers, frame.xy_m, air.serving, newest_s, able)
        rows = self._scheduler.due(scene).nonzero()[0]
        if len(rows):
            self._send(frame, rows[np.argsort(air.serving[rows], kind="stable")], tick)

    def finish(self) -> None:
        """Record bundles that are still on the air at the end of the run; none of their messages has arrived."""
        for sent in self._on_air.values():
            self._tell(sent, len(sent.states))
        self._on_air.clear()

    # --- vehicles come and go --------------------------------------------------------------------------------------

    def _attach(self, frame: MobilityFrame) -> None:
        entered = np.array([entry.number for entry in frame.entered], np.int64)
        states = capture(frame, self._channel.air, np.searchsorted(frame.numbers, entered))
        self._mirror.register(states, self._clock.now)
        self._awaited.reach(int(entered.max()) + 1)
        self._scheduler.told(states)
        self._forecast_from(states)

    def _part(self, left: IntArray) -> None:
        self._mirror.forget(left, self._clock.now)
        self._scheduler.forget(left)
        if self._forecaster is not None:
            self._forecaster.forget(left)

    # --- the way of messages ---------------------------------------------------------------------------------------

    def _send(self, frame: MobilityFrame, rows: IntArray, tick: int) -> None:
        """Send the states of the vehicles in `rows`, which are in order of their cells."""
        air = self._channel.air
        states = capture(frame, air, rows)
        lost = np.zeros(len(rows), np.bool_)
        if self._plan.loss > 0.0:
            lost = keyed_uniform(self._loss_key, states.numbers, tick) < self._plan.loss
        snr = air.snr_per_w[rows, air.slot[rows]] * self._power_w
        self._awaited.since_s[states.numbers] = frame.time_s
        self.sent += len(rows)
        self._scheduler.told(states)
        starts = [0, *((states.serving[1:] != states.serving[:-1]).nonzero()[0] + 1).tolist()]
        for start, end in pairwise((*starts, len(rows))):
            part = slice(start, end)
            sent = _Sent(int(states.serving[start]), states.pick(part), lost[part])
            Life(self._uplink(sent, snr[part])).begin()

    def _uplink(self, sent: _Sent, snr: FloatArray) -> Story:
        states = sent.states
        bundle = self._channel.carry_up(sent.site, len(states) * self._plan.message_bit, states.numbers, snr)
        self._on_air[bundle] = sent
        yield bundle
        del self._on_air[bundle]
        lost = int(sent.lost.sum())
        self._tell(sent, lost)
        if lost:
            self._miss(states.pick(sent.lost))
            states = states.pick(~sent.lost)
        self._deliver(states, sent.site)

    def _deliver(self, states: Snapshot, site: int) -> None:
        """Carry messages from a site to the nodes of the twins."""
        if self._home is None:
            self._apply(states, site)
            return
        states = states.pick(self._mirror.holds(states.numbers))
        nodes = self._home(states.numbers)
        for node in np.unique(nodes).tolist():
            part = states.pick(nodes == node)
            if node == NOWHERE:
                self._miss(part)
            elif node == site:
                self._apply(part, node)
            else:
                Life(self._wired(part, site, node, self._home)).begin()

    def _wired(self, states: Snapshot, site: int, node: int, home: Home) -> Story:
        yield from self._wires.carry(len(states) * self._plan.message_bit, site, node)
        states = states.pick(self._mirror.holds(states.numbers))
        there = home(states.numbers) == node
        if not there.all():  # the twin moved away meanwhile
            self._miss(states.pick(~there))
        self._apply(states.pick(there), node)

    def _apply(self, states: Snapshot, node: int) -> None:
        if not len(states):
            return
        now = self._clock.now
        newer = self._mirror.apply(states, now)
        if not newer.all():
            self.lost += int((self._mirror.holds(states.numbers) & ~newer).sum())
            states = states.pick(newer)
            if not len(states):
                return
        self.received += len(states)
        self._record_synced(time_s=now, vehicle=states.numbers, generated_s=states.generated_s, node=node)
        self._forecast_from(states)

    def _miss(self, states: Snapshot) -> None:
        """Count messages as lost."""
        self.lost += len(states)
        numbers = states.numbers
        awaited = self._awaited.since_s[numbers] == states.generated_s
        self._awaited.since_s[numbers[awaited]] = -np.inf

    def _tell(self, sent: _Sent, lost: int) -> None:
        count = len(sent.states)
        self._record_uplinked(self._clock.now, sent.site, sent.began_s, count, lost, count * self._plan.message_bit)

    def _forecast_from(self, states: Snapshot) -> None:
        if self._forecaster is not None:
            self._forecaster.observe(
                states.numbers, states.generated_s, states.xy_m, states.speed_mps, states.heading_deg
            )
