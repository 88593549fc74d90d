"""One clock for everything: SimPy's environment with a cheap lane for timers, and stories that wait on parts.

A *story* is a plain generator that yields waits (`yield cell.start(...)`). A *wait* is the thing itself: a transfer, an
execution, a pause. `Life` drives a story: it is resumed when its wait is over, or gets the wait's error thrown in.
Measured against a SimPy process and event for each wait this saves about two thirds of the cost of a task; ordinary
SimPy processes still run on the same clock.
"""

import gc
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeAlias

import simpy
from simpy.core import EmptySchedule, StopSimulation

from cosim.types import Failure

URGENT = 0
"""Before anything else at that instant: vehicles have moved before anyone looks."""
NORMAL = 1
LAST = 2
"""After everything else at that instant: decisions see all that has happened."""


class Wait:
    """What a story can wait for. The part that owns it calls `resume(self)` once, later than `start`.

    Defaults stand in the class, here and in the subclasses: thousands of waits begin each second, and each then sets
    only what differs.
    """

    resume: Callable[["Wait"], None]
    error: Exception | None = None

    def cancel(self, error: Exception) -> None:
        """Take this wait out of its part and throw `error` into the story that waits."""
        raise NotImplementedError

    def fail(self, error: Exception) -> None:
        """Resume the story with an error."""
        self.error = error
        self.resume(self)


Story: TypeAlias = Generator[Wait, None, None]


class Clock(simpy.Environment):  # type: ignore[misc]  # SimPy is read as untyped
    """SimPy's environment; entries of its queue are plain callables, a SimPy event among them by `schedule`."""

    now: float = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.numbers: count[int] = self._eid
        """Never given twice on one clock: what is numbered can move from part to part."""

    # `now` is a plain attribute here, because SimPy's property costs more than many of the actions.
    @property
    def _now(self) -> float:
        return self.now

    @_now.setter
    def _now(self, value: float) -> None:
        self.now = value

    def at(self, time_s: float, action: Callable[[], None], priority: int = NORMAL) -> None:
        """Call `action` at `time_s`."""
        heappush(self._queue, (time_s, priority, next(self.numbers), action))

    def schedule(self, event: simpy.Event, priority: int = NORMAL, delay: float = 0.0) -> None:
        """SimPy's own way in: succeeded events, timeouts and processes."""
        self.at(self.now + delay, partial(self._fire, event), priority)

    def every(self, step_s: float, action: Callable[[int], None], first: int = 0, priority: int = URGENT) -> None:
        """Call `action(n)` at `n * step_s` for n = first, first + 1, ...; times are products, never sums."""

        def turn(n: int) -> None:
            self.at((n + 1) * step_s, partial(turn, n + 1), priority)
            action(n)

        self.at(first * step_s, partial(turn, first), priority)

    def halt(self) -> None:
        """End the current `advance` after this action; to be called last in it."""
        raise StopSimulation(None)

    def advance(self) -> None:
        """Run until an action halts."""
        queue = self._queue
        try:
            while queue:
                self.now, _, _, action = heappop(queue)
                action()
        except StopSimulation:
            return

    def step(self) -> None:
        """One action; what SimPy's own `run` is made of."""
        if not self._queue:
            raise EmptySchedule
        self.now, _, _, action = heappop(self._queue)
        action()

    def _fire(self, event: Any) -> None:
        """What SimPy does with an event that is due; a failed one that nobody caught ends the run."""
        callbacks, event.callbacks = event.callbacks, None
        for callback in callbacks:
            callback(event)
        if not event._ok and not hasattr(event, "_defused"):
            raise event._value

    def pause(self, delay_s: float) -> "Pause":
        """A wait of `delay_s`."""
        pause = Pause()
        self.at(self.now + delay_s, pause.over)
        return pause


class Pause(Wait):
    """A wait for time to pass."""

    _cancelled = False

    def over(self) -> None:
        """The time has passed."""
        if not self._cancelled:
            self.resume(self)

    def cancel(self, error: Exception) -> None:
        """Stop waiting."""
        self._cancelled = True
        self.fail(error)


class Life:
    """A story on its way: it runs from wait to wait."""

    wait: Wait | None = None
    """What it waits for now; None before it begins and once it has ended, so that neither keeps the other in memory."""
    story: Story

    def __init__(self, story: Story) -> None:
        self.story = story

    def begin(self) -> None:
        """Run to the first wait."""
        try:
            self.wait = wait = self.story.send(None)
        except StopIteration:
            self.ended(None)
        except Failure as failure:
            self.ended(failure)
        else:
            wait.resume = self.resume

    def resume(self, over: Wait) -> None:
        """Run from a wait that is over to the next."""
        try:
            self.wait = wait = self.story.send(None) if over.error is None else self.story.throw(over.error)
        except StopIteration:
            self.wait = None
            self.ended(None)
        except Failure as failure:
            self.wait = None
            self.ended(failure)
        else:
            wait.resume = self.resume

    def ended(self, failure: Failure | None) -> None:
        """The story came to its end, or a failure that it did not catch has ended it."""
        if failure is not None:
            raise failure

    def cancel(self, error: Exception) -> None:
        """Throw `error` into the story, through the wait that it is in."""
        if self.wait is not None:
            self.wait.cancel(error)


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Let Python's garbage collector seldom walk what lives as long as a clock, and nothing that exists already.

    It would walk the whole network of a simulation again and again; what comes and goes is freed by its count of
    references. May be nested.
    """
    threshold, frozen = gc.get_threshold(), gc.get_freeze_count()
    if not frozen:
        gc.collect()
        gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        if not frozen:
            gc.unfreeze()
