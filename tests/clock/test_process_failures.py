"""Interrupts of SimPy processes, and failures of what they wait for, on a bare clock."""

import gc
import weakref

import pytest
import simpy
from process_bench import Bench, Process

from cosim.compute import QueueHost
from cosim.kernel.clock import Story
from cosim.kernel.fluid import Flow
from cosim.types import VehicleGone


def test_an_interrupted_process_leaves_the_transfer_on_its_way(bench: Bench) -> None:
    """Interrupted at 1 s while 3 bit are on a wire of 1 bit/s: they arrive at 3 s, and another 4 bit at 7 s."""
    flow, other = bench.wire.start(Flow(3.0)), Flow(4.0)
    process = bench.clock.process(bench.waiter(bench.clock.wait_for(flow)))
    bench.clock.at(1.0, process.interrupt)
    bench.clock.at(3.0, lambda: bench.wire.start(other))
    bench.clock.process(bench.waiter(bench.clock.wait_for(other)))
    bench.clock.run()
    assert bench.told == [(1.0, simpy.Interrupt), (7.0, other)]
    assert (flow.left, flow.active_s) == (0.0, 3.0)


@pytest.mark.parametrize("how", ["alone", "condition", "nested", "story"])
def test_a_failure_after_an_interrupt_is_nobody_s(bench: Bench, how: str) -> None:
    """A wait that fails when its process has been interrupted ends no run, be it in a condition or behind a story."""
    clock = bench.clock
    flow = bench.wire.start(Flow(9.0))

    def story() -> Story:
        yield flow

    sent = clock.wait_for(story() if how == "story" else flow)
    event = sent & clock.until(8.0) if how in ("condition", "nested") else sent
    process = clock.process(bench.waiter(event | clock.until(7.0) if how == "nested" else event))
    clock.at(1.0, process.interrupt)
    clock.at(2.0, lambda: flow.cancel(VehicleGone()))
    clock.at(3.0, lambda: bench.tell("goes on"))
    clock.run()
    assert bench.told == [(1.0, simpy.Interrupt), (3.0, "goes on")]


def test_a_failure_at_the_instant_of_an_interrupt(bench: Bench) -> None:
    """A wait that fails at the very instant of the interrupt throws into nobody: the interrupt comes first."""
    flow = bench.wire.start(Flow(9.0))
    process = bench.clock.process(bench.waiter(bench.clock.wait_for(flow)))

    def both() -> None:
        flow.cancel(VehicleGone())
        process.interrupt()

    bench.clock.at(1.0, both)
    bench.clock.run()
    assert bench.told == [(1.0, simpy.Interrupt)]


def test_a_failure_in_a_condition_reaches_who_waits(bench: Bench) -> None:
    """Whoever waits for any of a wait and a time gets the wait's failure if that comes first."""
    flow = bench.wire.start(Flow(9.0))
    bench.clock.process(bench.waiter(bench.clock.wait_for(flow) | bench.clock.until(8.0)))
    bench.clock.at(2.0, lambda: flow.cancel(VehicleGone()))
    bench.clock.run()
    assert bench.told == [(2.0, VehicleGone)]


def test_a_failed_process_in_a_condition_that_nobody_waits_for_ends_the_run(bench: Bench) -> None:
    """Only the failures of waits are nobody's: those of processes end the run, in a condition too."""

    def broken() -> Process:
        yield bench.clock.timeout(2.0)
        raise VehicleGone

    process = bench.clock.process(bench.waiter(bench.clock.process(broken()) | bench.clock.until(8.0)))
    bench.clock.at(1.0, process.interrupt)
    with pytest.raises(VehicleGone):
        bench.clock.run()
    assert bench.clock.now == 2.0


@pytest.mark.parametrize("caught", [True, False])
def test_a_failure_goes_through_nested_processes(bench: Bench, caught: bool) -> None:
    """A wait's failure goes up from process to process as the same kind, to who catches it or to the end of the run."""
    flow = bench.wire.start(Flow(9.0))

    def inner() -> Process:
        yield bench.clock.wait_for(flow)

    def outer() -> Process:
        yield bench.clock.process(inner())

    process = bench.clock.process(outer())
    if caught:
        bench.clock.process(bench.waiter(process))
    bench.clock.at(2.0, lambda: flow.cancel(VehicleGone()))
    if caught:
        bench.clock.run()
        assert bench.told == [(2.0, VehicleGone)]
    else:
        with pytest.raises(VehicleGone):
            bench.clock.run()
        assert bench.clock.now == 2.0


@pytest.mark.parametrize("whole", [True, False])
def test_a_process_gives_up_what_it_waits_for(bench: Bench, whole: bool) -> None:
    """A transfer that is given up leaves its wire at that instant, alone or in a story; one that is over stays so."""
    flow, other = bench.wire.start(Flow(2.0)), bench.wire.start(Flow(3.0))
    host = QueueHost(bench.clock, 1.0, 1, 0.0)

    def story() -> Story:
        yield flow

    sent, kept = bench.clock.wait_for(story() if whole else flow), bench.clock.wait_for(other)
    worked = bench.clock.wait_for(host.execute(1.0))

    def process() -> Process:
        yield bench.clock.until(2.0)
        sent.cancel(VehicleGone())
        yield from bench.waiter(sent)
        yield from bench.waiter(kept)
        kept.cancel(VehicleGone())
        worked.cancel(VehicleGone())

    bench.clock.process(process())
    bench.clock.run()
    # 1 bit of each in 2 s, then the other 2 bit alone.
    assert bench.told == [(2.0, VehicleGone), (4.0, other)]
    assert (flow.left, other.error, kept.ok) == (1.0, None, True)
    assert (host.running, worked.ok) == (0, True)


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_over_keeps_nothing_in_memory(bench: Bench, whole: bool) -> None:
    """A wait and its event go when the process lets go of them, without the garbage collector."""

    def story() -> Story:
        yield bench.clock.pause(1.0)

    event = bench.clock.wait_for(story() if whole else bench.clock.pause(1.0))
    gone = weakref.ref(event)
    bench.clock.run()
    gc.disable()
    try:
        del event
        assert gone() is None
    finally:
        gc.enable()
