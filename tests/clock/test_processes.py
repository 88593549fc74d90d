"""SimPy processes that wait for waits and stories, and stories that wait for processes, on a bare clock."""

import doctest
import gc
import weakref
from collections.abc import Generator
from typing import Any

import pytest
import simpy

import cosim.kernel.clock
from cosim.compute import QueueHost
from cosim.kernel.clock import LAST, Clock, EventWait, Life, Story
from cosim.kernel.fluid import Flow, Fluid
from cosim.types import Failure, VehicleGone

Process = Generator[Any, Any, Any]


class Ended(Life):
    """A story whose one end is kept."""

    over = False
    failure: Failure | None = None

    def ended(self, failure: Failure | None) -> None:
        """Keep how."""
        assert not self.over
        self.over, self.failure = True, failure


class Bench:
    """A clock, a wire of 1 bit/s and a note of what happened when."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.wire = Fluid(self.clock, 1.0)
        self.told: list[tuple[float, object]] = []

    def tell(self, word: object) -> None:
        """Note that something happened now."""
        self.told.append((self.clock.now, word))

    def waiter(self, event: simpy.Event) -> Process:
        """A process that waits for one event and notes how that ended."""
        try:
            self.tell((yield event))
        except (Failure, simpy.Interrupt) as error:
            self.tell(type(error))


@pytest.fixture
def bench() -> Bench:
    """A fresh one."""
    return Bench()


def test_the_example_in_the_clock_runs() -> None:
    """The example in the clock's docstring does what it says."""
    failed, tried = doctest.testmod(cosim.kernel.clock)
    assert (failed, tried) == (0, 5)


# --- a process waits for a wait ------------------------------------------------------------------------------------


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


# --- times and conditions ------------------------------------------------------------------------------------------


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


# --- interrupts and failures ---------------------------------------------------------------------------------------


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


# --- a story waits for a process -----------------------------------------------------------------------------------


def test_a_story_waits_for_a_process_and_for_other_events(bench: Bench) -> None:
    """A story goes on when a process ends, at once if it has ended, and when it gets a resource; it sees the value."""
    desk = simpy.Resource(bench.clock, capacity=1)

    def process() -> Process:
        with desk.request() as turn:
            yield turn
            yield bench.clock.timeout(2.0)
        return "done"

    def story() -> Story:
        running = bench.clock.process(process())
        yield bench.clock.pause(1.0)
        turn = desk.request()
        yield EventWait(turn)
        bench.tell("turn")
        for _ in range(2):
            over = EventWait(running)
            yield over
            bench.tell(over.event.value)

    Life(story()).begin()
    bench.clock.run()
    assert bench.told == [(2.0, "turn"), (2.0, "done"), (2.0, "done")]


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("kind", [VehicleGone, KeyError])
def test_a_story_gets_the_failure_of_a_process(bench: Bench, kind: type[Exception], late: bool) -> None:
    """The error of a process is thrown into the story that waits, as it is; asked when it has failed, at once."""

    def process() -> Process:
        yield bench.clock.timeout(2.0)
        raise kind

    running = bench.clock.process(process())

    def story() -> Story:
        for _ in range(1 + late):
            try:
                yield EventWait(running)
            except kind:
                bench.tell(kind)

    Life(story()).begin()
    bench.clock.run()
    assert bench.told == [(2.0, kind)] * (1 + late)


def test_a_failure_of_a_process_ends_a_story_as_a_failure(bench: Bench) -> None:
    """A Failure that a story does not catch is its end, as from any wait; from there it goes on into a process."""

    def process() -> Process:
        yield bench.clock.timeout(2.0)
        raise VehicleGone

    def story() -> Story:
        yield EventWait(bench.clock.process(process()))

    life = Ended(story())
    life.begin()
    bench.clock.process(bench.waiter(bench.clock.wait_for(story())))
    bench.clock.run()
    assert isinstance(life.failure, VehicleGone)
    assert bench.told == [(2.0, VehicleGone)]


@pytest.mark.parametrize("cancel_s", [1.0, 2.0])
def test_a_cancelled_story_leaves_the_process_alone(bench: Bench, cancel_s: float) -> None:
    """A story that is cancelled while it waits for a process, or as that ends, is told once; the process goes on."""

    def process() -> Process:
        yield bench.clock.until(2.0)
        bench.tell("process")

    running = bench.clock.process(process())
    stories = [Ended(after(bench, running)) for _ in range(2)]
    stories[0].begin()
    if cancel_s == 2.0:  # by another that hears of the end first
        running.callbacks.insert(0, lambda _: stories[0].cancel(VehicleGone()))
    else:
        bench.clock.at(cancel_s, lambda: stories[0].cancel(VehicleGone()))
    stories[1].begin()
    waiting = len(running.callbacks)
    bench.clock.run(until=1.5)
    assert len(running.callbacks) == waiting - (cancel_s < 1.5)
    bench.clock.run()
    assert isinstance(stories[0].failure, VehicleGone)
    assert stories[1].failure is None
    assert sorted(bench.told, key=str) == [(2.0, "process"), (2.0, "story")]


def after(bench: Bench, running: simpy.Event) -> Story:
    """A story that waits for a process and tells that it went on."""
    yield EventWait(running)
    bench.tell("story")


def test_a_cancelled_wait_for_a_process_that_had_ended(bench: Bench) -> None:
    """A wait for a process that is over already can be cancelled in the same instant: the story is told once."""

    def process() -> Process:
        yield bench.clock.until(1.0)

    running = bench.clock.process(process())
    bench.clock.run()
    life = Ended(after(bench, running))
    life.begin()
    life.cancel(VehicleGone())
    bench.clock.run()
    assert isinstance(life.failure, VehicleGone)
    assert bench.told == []
