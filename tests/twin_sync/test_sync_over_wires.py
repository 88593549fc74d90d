"""Messages go on over the wires to the node on which a twin lives; one that has moved or has no node gets nothing."""

import numpy as np
import pytest
from scripted import ScriptedMobility
from stories import NEAR_A, scenario

from cosim.kernel.clock import LAST, Clock
from cosim.radio.channel import Channel
from cosim.scenario.twin_forecast import VelocityForecast
from cosim.topology import build_topology
from cosim.trace.store.writer import NullWriter
from cosim.transport import Transport, Wires
from cosim.twin.digital_twin import DigitalTwin
from cosim.twin.forecast import make_forecaster
from cosim.types import NOWHERE


class World:
    """Two sites joined by wires of 0.2 s in all, vehicles near A, and a twin that lives where `nodes` says."""

    def __init__(self, nodes, paths, **twin):
        plan = scenario(
            twin={"message_bit": 1e5, "sync": {"kind": "periodic", "period_s": 4.0, "staggered": False}, **twin},
            backhaul={"kind": "star", "latency_s": 0.1, "bandwidth_bps": 1e15},
        )
        self.clock, self.nodes = Clock(), np.array(nodes)
        sites_m = np.array([(0.0, 0.0), (1000.0, 0.0)])
        topology = build_topology(sites_m, plan.backhaul, None)
        self.channel = Channel(self.clock, plan.radio, sites_m, 1, NullWriter())
        transport = Transport(self.channel, Wires(self.clock, topology), None)
        self.forecaster = make_forecaster(VelocityForecast(kind="constant_velocity"), None)
        self.twin = DigitalTwin(
            self.clock, plan.twin, plan, topology, transport, {}, NullWriter(), self.forecaster,
            home=lambda numbers: self.nodes[numbers],
        )  # fmt: skip
        self.source = ScriptedMobility(1.0, paths)
        self.clock.every(1.0, self._tick)

    def _tick(self, tick):
        frame = self.source.advance(tick)
        self.channel.tick(frame.numbers, frame.xy_m, frame.left, tick)
        self.twin.tick(frame, tick)

    def until(self, time_s):
        """Run on."""
        self.clock.at(time_s, self.clock.halt, LAST)
        self.clock.advance()

    def known_s(self):
        """Times of the states of all vehicles."""
        return self.twin.mirror.generated_s(np.arange(len(self.nodes))).tolist()


def test_two_legs():
    """Two messages take 0.2 s on the air; the one whose twin lives at B takes 0.2 s more over the wires."""
    world = World([0, 1], {"a": [NEAR_A] * 9, "b": [NEAR_A] * 9})
    world.until(4.19)
    assert world.known_s() == [0.0, 0.0]
    world.until(4.21)
    assert world.known_s() == [4.0, 0.0]
    world.until(4.41)
    assert world.known_s() == [4.0, 4.0]


def test_nobody_at_home():
    """A twin that is on its way to another host gets no state, and the message counts as lost."""
    world = World([NOWHERE, 1], {"a": [NEAR_A] * 9, "b": [NEAR_A] * 9})
    world.until(4.25)
    world.nodes[1] = 0  # it moves while its state is on the wires
    world.until(4.9)
    assert world.known_s() == [0.0, 0.0]
    assert (world.twin.messages.sent, world.twin.messages.received, world.twin.messages.lost) == (2, 0, 2)


def test_the_forecaster_hears_what_has_come():
    """What the forecast rests on is the state that came, not the one of now: a move after it shows only later."""
    path = [(0.0, 10.0 + 2.0 * min(k, 4)) for k in range(9)]
    world = World([1], {"a": path})
    world.until(4.25)
    before = world.forecaster.at(8.0, np.array([0])).xy_m[0]
    world.until(4.35)
    after = world.forecaster.at(8.0, np.array([0])).xy_m[0]
    np.testing.assert_allclose(before, (0.0, 10.0))
    np.testing.assert_allclose(after, (0.0, 26.0))


@pytest.mark.parametrize("left_at", [4, 5])
def test_a_twin_that_has_ended_gets_nothing(left_at):
    """A message that is on the wires as its vehicle leaves finds no twin, and no twin comes back with it."""
    world = World([1], {"a": [NEAR_A] * left_at}, message_bit=9e5)
    world.until(7.0)
    assert world.known_s() == [-np.inf]
    assert world.twin.mirror.ages.twins == 0
    assert world.twin.messages.received == 0
