"""SimPy processes that wait for waits, stories and times, on a bare clock."""

import doctest
from typing import Any

import pytest
from process_bench import Bench, Ended, Process

import cosim.kernel.clock
from cosim.compute import QueueHost
from cosim.kernel.clock import LAST, Life, Story
from cosim.kernel.fluid import Flow
from cosim.types import Failure, VehicleGone


def test_the_example_in_the_clock_runs() -> None:
    """The example in the clock's docstring does what it says."""
    failed, tried = doctest.testmod(cosim.kernel.clock)
    assert (failed, tried) == (0, 5)


def test_two_flows_that_share_a_wire_end_at_their_times(bench: Bench) -> None:
    """3 bit and 1 bit share 1 bit/s from 0 s: 1 bit is there after 2 s, 3 bit after 4 s; each event gives its flow."""
    long, short = bench.wire.start(Flow(3.0)), bench.wire.start(Flow(1.0))
    bench.clock.process(bench.waiter(bench.clock.wait_for(long)))
    bench.clock.process(bench.waiter(bench.clock.wait_for(short)))
    bench.clock.run()
    assert bench.told == [(2.0, short), (4.0, long)]


def test_a_pause_and_an_execution(bench: Bench) -> None:
    """A process goes on after a pause of 1.5 s, and after 2 cycles at 1 Hz behind 3 others."""
    host = QueueHost(bench.clock, 1.0, 1, 0.0)

    def process() -> Process:
        yield bench.clock.wait_for(bench.clock.pause(1.5))
        bench.tell("paused")
        host.execute(3.0)
        execution = yield bench.clock.wait_for(host.execute(2.0))
        bench.tell((execution.started_s, execution.left))

    bench.clock.process(process())
    bench.clock.run()
    assert bench.told == [(1.5, "paused"), (6.5, (4.5, 0.0))]


def test_a_story_behind_one_event(bench: Bench) -> None:
    """A story begins when its event is asked for; one without waits is over at that instant, a failure is told."""

    def two_hops() -> Story:
        bench.tell("begins")
        yield bench.wire.start(Flow(1.0))
        yield bench.wire.start(Flow(2.0))

    def nothing() -> Story:
        yield from ()

    def lost() -> Story:
        yield bench.clock.pause(1.0)
        raise VehicleGone

    def process() -> Process:
        yield bench.clock.timeout(0.5)
        for story in (two_hops(), nothing(), lost()):
            yield from bench.waiter(bench.clock.wait_for(story))

    bench.clock.process(process())
    bench.clock.run()
    assert bench.told == [(0.5, "begins"), (3.5, None), (3.5, None), (4.5, VehicleGone)]


def test_a_wait_that_was_over_before_anybody_asked(bench: Bench) -> None:
    """A wait may end unheard: who asks later is told at once, of a success and of a failure; so does each who asks."""
    good, bad = bench.wire.start(Flow(1.0)), bench.clock.pause(9.0)
    bench.clock.at(2.0, lambda: bad.cancel(VehicleGone()))

    def process() -> Process:
        yield bench.clock.until(3.0)
        for wait in (good, good, bad, bad):
            yield from bench.waiter(bench.clock.wait_for(wait))

    bench.clock.process(process())
    bench.clock.run()
    assert bench.told == [(3.0, good), (3.0, good), (3.0, VehicleGone), (3.0, VehicleGone)]


def test_a_wait_has_one_event(bench: Bench) -> None:
    """Two processes that ask for the event of one wait get the same, and go on in the order of their waiting."""
    pause = bench.clock.pause(1.0)
    assert bench.clock.wait_for(pause) is bench.clock.wait_for(pause)

    def process(name: str) -> Process:
        yield bench.clock.wait_for(pause)
        bench.tell(name)

    for name in "bac":
        bench.clock.process(process(name))
    bench.clock.run()
    assert bench.told == [(1.0, "b"), (1.0, "a"), (1.0, "c")]


@pytest.mark.parametrize(("at_s", "error"), [(1.0, None), (0.5, VehicleGone())])
def test_a_process_watches_the_wait_of_a_story(bench: Bench, at_s: float, error: Failure | None) -> None:
    """Whoever waits for a story's wait leaves the story as it was and goes on after it; asked later, at once."""

    def story() -> Story:
        try:
            yield bench.clock.pause(1.0)
        finally:
            bench.clock.at(at_s, lambda: bench.tell("what the story does at once"))
        yield bench.clock.pause(5.0)

    life = Ended(story())
    life.begin()
    pause = life.wait
    assert pause is not None
    seen = pause if error is None else type(error)
    bench.clock.process(bench.waiter(bench.clock.wait_for(pause)))
    if error is not None:
        bench.clock.at(at_s, lambda: life.cancel(error))
    bench.clock.run(until=2.0)
    assert bench.told == [(at_s, "what the story does at once"), (at_s, seen)]
    assert life.failure is error
    bench.clock.process(bench.waiter(bench.clock.wait_for(pause)))
    bench.clock.run(until=3.0)
    assert bench.told[2:] == [(2.0, seen)]


def test_a_story_s_wait_that_is_over(bench: Bench) -> None:
    """The wait that a story has behind it counts as over, though nobody had asked for its event."""

    def story() -> Story:
        yield bench.clock.pause(1.0)
        yield bench.clock.pause(5.0)

    life = Life(story())
    life.begin()
    first = life.wait
    assert first is not None
    bench.clock.run(until=2.0)
    bench.clock.process(bench.waiter(bench.clock.wait_for(first)))
    bench.clock.run(until=3.0)
    assert bench.told == [(2.0, first)]


def test_what_is_no_wait_is_refused(bench: Bench) -> None:
    """Neither side takes the other's things silently: both say what to yield instead."""
    with pytest.raises(TypeError, match="neither a wait nor a story"):
        bench.clock.wait_for(bench.clock.timeout(1.0))

    def story() -> Any:
        yield bench.clock.timeout(1.0)

    Life(story()).begin()
    with pytest.raises(TypeError, match=r"yield EventWait\(event\)"):
        bench.clock.run()


def test_until_is_exact_where_sums_are_not(bench: Bench) -> None:
    """Three time-outs of 0.1 s end at 0.30000000000000004 s, `until(0.3)` at 0.3 s; so do 3,000 of them."""

    def sums() -> Process:
        for _ in range(3):
            yield bench.clock.timeout(0.1)
        bench.tell("sum")

    def products() -> Process:
        for step in (2, 3, 9, *range(10, 3001)):  # 0.3 + (0.9 - 0.3) is not 0.9 either
            yield bench.clock.until(step / 10)
            assert bench.clock.now == step / 10
            if step in (3, 3000):
                bench.tell("product")

    bench.clock.process(sums())
    bench.clock.process(products())
    bench.clock.run()
    assert bench.told == [(0.3, "product"), (0.1 + 0.1 + 0.1, "sum"), (300.0, "product")]
    assert bench.told[0][0] != bench.told[1][0]


def test_any_of_a_transfer_and_a_time(bench: Bench) -> None:
    """A process waits for 1 bit at 1 bit/s until 0.3 s, goes on exactly then, and gets the transfer at 1 s."""

    def process() -> Process:
        sent = bench.clock.wait_for(bench.wire.start(Flow(1.0)))
        yield bench.clock.timeout(0.1)
        for give_up_s in (0.3, 1.5):
            late = bench.clock.until(give_up_s)
            seen = yield sent | late
            bench.tell((sent in seen, late in seen))
        seen = yield sent & late
        bench.tell((sent in seen, late in seen))

    bench.clock.process(process())
    bench.clock.run()
    assert bench.told == [(0.3, (False, True)), (1.0, (True, False)), (1.5, (True, True))]


def test_until_now_and_until_a_past_time(bench: Bench) -> None:
    """Until now: after what was asked for at this instant, before decisions. A past time, or none, is refused."""

    def process() -> Process:
        yield bench.clock.until(2.0)
        bench.clock.at(2.0, lambda: bench.tell("last"), LAST)
        bench.clock.at(2.0, lambda: bench.tell("before"))
        yield bench.clock.until(2.0)
        bench.tell("now")
        for past_s in (1.9, float("nan")):
            with pytest.raises(ValueError, match=rf"clock.until\({past_s}\): it is 2.0 s already"):
                bench.clock.until(past_s)
        for back_s in (-1.0, float("nan")):
            with pytest.raises(ValueError, match="time does not go back"):
                bench.clock.pause(back_s)

    bench.clock.process(process())
    bench.clock.run()
    assert bench.told == [(2.0, "before"), (2.0, "now"), (2.0, "last")]


def test_processes_at_one_instant_go_in_the_order_of_asking(bench: Bench) -> None:
    """What ends at 1 s resumes processes in the order in which it was asked for, whatever it is."""
    clock = bench.clock

    def process(name: str, make: Any) -> Process:
        yield make()
        bench.tell(name)

    made = {
        "time": lambda: clock.until(1.0),
        "timeout": lambda: clock.timeout(1.0),
        "wait": lambda: clock.wait_for(clock.pause(1.0)),
        "late time": lambda: clock.until(1.0),
    }
    for name, make in made.items():
        clock.process(process(name, make))
    clock.at(1.0, lambda: bench.tell("action"))
    clock.at(1.0, lambda: bench.tell("decision"), LAST)
    clock.run()
    # The action was asked for before any process had begun; the wait ends in its turn, and its event comes last.
    assert [word for _, word in bench.told] == ["action", "time", "timeout", "late time", "wait", "decision"]
