"""The clock: order of actions, stories, and SimPy's own processes beside them."""

from collections.abc import Generator
from typing import Any

import pytest
import simpy

from cosim.kernel.clock import LAST, URGENT, Clock, Life, Story


def test_ticks_are_products_not_sums() -> None:
    """After an hour of 0.1 s ticks the 36,000th is at 3600 s exactly."""
    clock = Clock()
    ticks: list[float] = []
    clock.every(0.1, lambda _: ticks.append(clock.now))
    clock.at(3600.0, clock.halt, LAST)
    clock.advance()
    assert len(ticks) == 36_001
    assert ticks[-1] == 3600.0


def test_order_at_one_instant() -> None:
    """At one instant the urgent comes first, then what was asked first, then the last."""
    clock = Clock()
    order: list[str] = []
    clock.at(1.0, lambda: order.append("decision"), LAST)
    clock.at(1.0, lambda: order.append("first"))
    clock.at(1.0, lambda: order.append("second"))
    clock.at(1.0, lambda: order.append("tick"), URGENT)
    clock.advance()
    assert order == ["tick", "first", "second", "decision"]


def test_halt_gives_control_back_and_advance_goes_on() -> None:
    """The clock stands still at a halt and goes on from there."""
    clock = Clock()
    clock.at(1.0, clock.halt)
    clock.at(2.0, clock.halt)
    clock.advance()
    assert clock.now == 1.0
    clock.advance()
    assert clock.now == 2.0


def test_story_waits_and_is_cancelled() -> None:
    """A story goes on when its pause is over; a cancelled pause throws into it, once."""
    clock = Clock()
    told: list[tuple[float, str]] = []

    def story() -> Story:
        yield clock.pause(1.0)
        told.append((clock.now, "on"))
        try:
            yield clock.pause(5.0)
        except KeyError:
            told.append((clock.now, "cancelled"))

    life = Life(story())
    life.begin()
    clock.at(3.0, lambda: life.cancel(KeyError()))
    clock.advance()
    assert told == [(1.0, "on"), (3.0, "cancelled")]
    assert life.wait is None


def test_simpy_processes_live_on_the_same_clock() -> None:
    """SimPy's processes, timeouts, resources and interrupts run on the clock, in order with plain actions."""
    clock = Clock()
    told: list[tuple[float, str]] = []
    desk = simpy.Resource(clock, capacity=1)

    def customer(name: str) -> Generator[Any, Any, None]:
        with desk.request() as turn:
            yield turn
            yield clock.timeout(2.0)
            told.append((clock.now, name))

    def sleeper() -> Generator[Any, Any, None]:
        try:
            yield clock.timeout(100.0)
        except simpy.Interrupt:
            told.append((clock.now, "woken"))

    clock.process(customer("a"))
    clock.process(customer("b"))
    asleep = clock.process(sleeper())
    clock.at(3.0, asleep.interrupt)
    clock.at(3.5, lambda: told.append((clock.now, "plain")))
    clock.run(until=10.0)
    assert told == [(2.0, "a"), (3.0, "woken"), (3.5, "plain"), (4.0, "b")]
    assert clock.now == 10.0


def test_a_failed_process_that_nobody_waits_for_ends_the_run() -> None:
    """An error in a SimPy process is not swallowed."""
    clock = Clock()

    def broken() -> Generator[Any, Any, None]:
        yield clock.timeout(1.0)
        raise ValueError("broken")

    clock.process(broken())
    with pytest.raises(ValueError, match="broken"):
        clock.run(until=2.0)
