"""Stories that wait for SimPy processes and for other events, on a bare clock."""

import pytest
import simpy
from process_bench import Bench, Ended, Process

from cosim.kernel.clock import EventWait, Life, Story
from cosim.types import VehicleGone


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
