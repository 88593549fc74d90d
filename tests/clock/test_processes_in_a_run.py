"""SimPy processes on the clock of a real run: every kind of wait, vehicles that leave, a watcher that changes nothing.

In a cell 1 Mbit takes 1 s, hosts do 1e9 cycles in 1 s; see `stories`.
"""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from scripted import ScriptedMobility
from secured import KEY, KEYS
from stories import FAR, NEAR_A, NEAR_B, Told, merged, scenario, write_arrivals

from cosim.keys.request_queue import GrantedKey, QueuedKeyRequest
from cosim.keys.service import KeyUnavailable
from cosim.offload import Offloading
from cosim.radio.channel import LinkLost
from cosim.radio.sidelink import HelperLost
from cosim.simulation import Simulation
from cosim.trace.store.writer import TraceWriter
from cosim.types import NOWHERE, Failure, VehicleGone

Process = Generator[Any, Any, None]
Seen = list[tuple[float, object]]
BESIDE, BEYOND = (0.0, 50.0), (0.0, 90.0)
SIDELINK = {
    "range_m": 60.0,
    "bandwidth_hz": 1e6,
    "path_loss": {"kind": "power_law", "exponent": 2.0, "gain_at_1m_db": 0.0},
}
WIRE = {"kind": "star", "bandwidth_bps": 1e6, "latency_s": 0.1}
LINK = {"topology": {"links": [{"ends": ["A", "B"]}]}, "vehicle": {"site": "B"}}


class World:
    """A run without tasks of its own, to which a test hangs processes."""

    def __init__(self, folder: Path, paths: dict[str, Any], **changes: Any) -> None:
        write_arrivals(folder, [])
        chosen = scenario(**changes)
        source = ScriptedMobility(chosen.mobility.step_s, paths)
        source.bounds_m = (-1e4, -1e4, 1e4, 1e4)
        self.run = Simulation(chosen, None, folder, source)
        self.seen: Seen = []

    def waits(self, at_s: float, start: Callable[[], Any]) -> None:
        """A process that starts something at a time, and notes when and how it ended."""
        clock = self.run.clock

        def process() -> Process:
            yield clock.until(at_s)
            try:
                ended = yield clock.wait_for(start())
            except Failure as failure:
                ended = type(failure)
            self.seen.append((clock.now, ended))

        clock.process(process())

    def ends(self) -> Seen:
        """Run; what was noted."""
        assert self.run.advance() is None
        self.run.close()
        return self.seen


def up(world: World, size_bit: float, vehicle: int = 0) -> Callable[[], Any]:
    """Starts an uplink at 1 W."""
    return lambda: world.run.channel.uplink(vehicle, NOWHERE, size_bit, 1.0, 1.0)


def down(world: World, size_bit: float, vehicle: int = 0) -> Callable[[], Any]:
    """Starts a downlink."""
    return lambda: world.run.channel.downlink(vehicle, NOWHERE, size_bit)


def test_transfers_over_the_air(tmp_path: Path) -> None:
    """Uplinks of 2 Mbit and 1 Mbit share a cell until one moves to another at 1 s; 3 Mbit downwards take 3 s beside."""
    world = World(tmp_path, {"a": [NEAR_A] * 11, "b": [NEAR_A] + [NEAR_B] * 10})
    world.waits(0.5, up(world, 2e6))
    world.waits(0.5, up(world, 1e6, vehicle=1))
    world.waits(0.5, down(world, 3e6))
    (b_s, b), (a_s, a), (down_s, _) = world.ends()
    # Shared until 1 s: 0.25 Mbit of each are sent; then each alone.
    assert (b_s, a_s, down_s) == pytest.approx((1.75, 2.75, 3.5), abs=1e-9)
    assert (a.site, b.site, b.handovers) == (0, 1, 1)


def test_an_execution_and_a_wire(tmp_path: Path) -> None:
    """2e9 cycles take 2 s and 1e-28 f^2 C = 0.2 J; 1 Mbit takes 2.2 s over two hops and no time over none."""
    world = World(tmp_path, {"a": [NEAR_A] * 11}, backhaul=WIRE)
    wires = world.run.context.transport.wires
    world.waits(0.5, lambda: world.run.context.hosts[0].execute(2e9))
    world.waits(0.5, lambda: wires.carry(1e6, 0, 1))
    world.waits(0.5, lambda: wires.carry(1e6, 0, 0))
    nothing, (execution_s, execution), wire = world.ends()
    assert nothing == (0.5, None)
    assert (execution_s, execution.energy_j) == pytest.approx((2.5, 0.2))
    assert wire == (pytest.approx(2.7), None)


def test_work_in_a_vehicle_that_leaves(tmp_path: Path) -> None:
    """Work of a process in a vehicle ends with VehicleGone at the tick at which it leaves, in its queue as running."""
    world = World(tmp_path, {"a": [NEAR_A] * 3, "b": [NEAR_A] * 11})
    hosts = world.run.context.vehicle_hosts
    second = float(world.run.scenario.compute.vehicle.core_hz)
    world.waits(4.0, lambda: hosts.execute(0, second))
    for _ in range(3):
        world.waits(0.5, lambda: hosts.execute(0, 2.0 * second))
    world.waits(0.5, lambda: hosts.execute(1, 2.0 * second))
    done = [(at_s, what if what is VehicleGone else "done") for at_s, what in world.ends()]
    assert done == [(2.5, "done"), (2.5, "done"), (3.0, VehicleGone), (3.0, VehicleGone), (4.0, VehicleGone)]


def test_keys(tmp_path: Path) -> None:
    """The only key is there at once, the next comes with the slot at 1 s, then none within 0.6 s of patience."""
    plan = merged(merged(KEYS, LINK), {"pool": {"initial_bit": KEY}, "shortage": {"patience_s": 0.6}})
    world = World(tmp_path, {"abc"[k]: [NEAR_A] * 11 for k in range(3)}, keys=plan)
    keys = world.run.context.keys
    assert keys is not None
    for vehicle, at_s in enumerate((0.25, 0.5, 1.25)):
        world.waits(at_s, lambda vehicle=vehicle: keys.request(vehicle, 0, 1e5, 0.0, 9.0))
    world.waits(0.3, lambda: keys.request(0, 0, 1e5, 0.0, 9.0))
    (first_s, first), again, (second_s, second), third = world.ends()
    assert isinstance(first, GrantedKey)
    assert (first_s, first.bit) == (0.25, KEY)
    assert again == (0.3, None), "the first vehicle's key still lasts"
    assert (second_s, second.keyed_s, second.bit) == (1.0, 1.0, KEY)
    assert third == (pytest.approx(1.85), KeyUnavailable)


def test_a_transfer_that_goes_without_a_key(tmp_path: Path) -> None:
    """A request that is settled at once, without a key, keeps no process waiting."""
    plan = merged(merged(KEYS, LINK), {"shortage": {"patience_s": 0.0, "then": "downgrade"}})
    world = World(tmp_path, {"a": [NEAR_A] * 11}, keys=plan)
    keys = world.run.context.keys
    assert keys is not None
    world.waits(0.25, lambda: keys.request(0, 0, 1e5, 0.0, 9.0))
    [(at_s, request)] = world.ends()
    assert at_s == 0.25
    assert isinstance(request, QueuedKeyRequest)


def test_a_sidelink(tmp_path: Path) -> None:
    """1 Mbit to a neighbour 40 m away takes 1 s, with nothing to do after; 3 Mbit break off when it is too far."""
    world = World(tmp_path, {"a": [NEAR_A] * 11, "b": [BESIDE] * 3 + [BEYOND] * 8}, radio={"sidelink": SIDELINK})
    sidelink = world.run.context.transport.sidelink
    assert sidelink is not None
    world.waits(0.25, lambda: sidelink.send(0, 1, 1e6, 1.0))
    world.waits(1.25, lambda: sidelink.send(1, 0, 3e6, 1.0))
    (first_s, first), second = world.ends()
    assert (first_s, first.left) == (pytest.approx(1.25), 0.0)
    assert second == (3.0, HelperLost)
    assert not sidelink._active


def test_a_vehicle_leaves_the_map(tmp_path: Path) -> None:
    """VehicleGone is thrown into the process at the tick; a vehicle that is not there loses its transfer at once."""
    world = World(tmp_path, {"a": [NEAR_A] * 2, "b": [FAR] * 11})
    world.waits(0.5, up(world, 4e6))
    world.waits(3.5, up(world, 1e6))
    world.waits(0.5, up(world, 1e6, vehicle=1))
    outage_s = world.run.scenario.radio.outage_s
    assert sorted(world.ends(), key=str) == sorted(
        [(2.0, VehicleGone), (3.5, VehicleGone), (0.5 + outage_s, LinkLost)], key=str
    )


def test_an_interrupted_process_in_a_run(tmp_path: Path) -> None:
    """A process is interrupted, its vehicle then leaves and its transfer fails: the run goes on to its end."""
    world = World(tmp_path, {"a": [NEAR_A] * 2})
    clock = world.run.clock

    def sender() -> Process:
        yield clock.until(0.5)
        yield clock.wait_for(up(world, 4e6)()) | clock.until(9.0)

    def stop(running: Any) -> Process:
        yield clock.until(1.5)
        running.interrupt("stop")

    def patient(running: Any) -> Process:
        try:
            yield running
        except Exception as error:
            world.seen.append((clock.now, str(error)))

    running = clock.process(sender())
    clock.process(stop(running))
    clock.process(patient(running))
    assert world.ends() == [(1.5, "Interrupt('stop')")]
    assert clock.now == 10.0


def test_an_uncaught_failure_in_a_run_ends_it(tmp_path: Path) -> None:
    """A process that does not catch the failure of its wait ends the run with it, at that time."""
    world = World(tmp_path, {"a": [NEAR_A] * 2})
    clock = world.run.clock

    def sender() -> Process:
        yield clock.wait_for(up(world, 4e6)())

    clock.process(sender())
    with pytest.raises(VehicleGone):
        world.ends()
    assert clock.now == 2.0


def test_a_process_begins_after_the_first_tick_and_sees_each_tick(tmp_path: Path) -> None:
    """A process made before the first advance begins with the vehicles on the map; at each tick they have moved."""
    world = World(tmp_path, {"a": [NEAR_A, NEAR_B, FAR, NEAR_A]})
    clock, channel = world.run.clock, world.run.channel

    def watch() -> Process:
        for tick in range(5):
            yield clock.until(tick * 1.0)
            world.seen.append((clock.now, channel.serving(0)))

    clock.process(watch())
    assert world.ends() == [(0.0, 0), (1.0, 1), (2.0, NOWHERE), (3.0, 0), (4.0, NOWHERE)]


def test_a_watcher_changes_no_digest(tmp_path: Path) -> None:
    """A process that looks on, and listens to the very waits that the tasks are in, leaves every fact as it was."""
    heard: list[Any] = []
    assert _busy_run(tmp_path, heard) == _busy_run(tmp_path, None)
    assert {type(wait).__name__ for wait in heard} == {"Uplink", "Downlink", "Execution", "Flow", "Pause"}
    assert len({id(wait) for wait in heard}) > 40


def _busy_run(folder: Path, heard: list[Any] | None) -> str:
    """The digest of a run of 24 tasks in two cells, with ends, handovers and vehicles that leave.

    With a list, a process listens to all waits of the tasks and keeps those that ended well.
    """
    write_arrivals(folder, [(0.25 * k, "ab"[k % 2], {"input_bit": 2e5 + 1e5 * k}) for k in range(1, 25)])
    chosen = scenario(backhaul=WIRE, tasks={"on_deadline": "drop"})
    source = ScriptedMobility(1.0, {"a": [NEAR_A] * 4 + [NEAR_B] * 3 + [NEAR_A] * 4, "b": [NEAR_A] * 9})
    source.bounds_m = (-1e4, -1e4, 1e4, 1e4)
    writer = TraceWriter(folder / ("plain" if heard is None else "watched"), chosen.trace.part_s)
    policy = Told("A")
    policy.simulation = run = Simulation(chosen, writer, folder, source)
    clock = run.clock

    def listen(wait: Any) -> Process:
        try:
            yield clock.wait_for(wait) | clock.until(clock.now + 3.0)
        except Failure:
            return
        heard.append(wait)

    def watch() -> Process:
        for step in range(1, 100):
            yield clock.until(step / 10)
            for life in run.part(Offloading).alive.values():
                clock.process(listen(life.wait))

    if heard is not None:
        clock.process(watch())
    run.run(policy)
    run.close()
    writer.close(True, chosen.duration_s)
    return writer.digest
