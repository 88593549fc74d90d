"""One clock for everything: SimPy's environment with a cheap lane for timers, and stories that wait on parts.

A *story* is a plain generator that yields waits (`yield cell.start(...)`). A *wait* is the thing itself: a transfer, an
execution, a pause. `Life` drives a story: it is resumed when its wait is over, or gets the wait's error thrown in.
Measured against a SimPy process and event for each wait this saves about two thirds of the cost of a task.

Ordinary SimPy processes run on the same clock, and are the way to write what happens seldom. `Clock.wait_for` gives
them an event for a wait or for a story; `Clock.until` is a timeout at a time instead of after a delay; a story waits
for a process, or for any event, by `EventWait`:

    >>> clock = Clock()
    >>> def watch():
    ...     sent = clock.wait_for(clock.pause(2.5))  # or channel.uplink(...), host.execute(...), wires.carry(...)
    ...     yield sent | clock.until(0.3)
    ...     print(clock.now, sent.triggered)
    ...     yield sent
    >>> def story():
    ...     yield EventWait(clock.process(watch()))
    ...     print(clock.now, "the story goes on")
    >>> Life(story()).begin()
    >>> clock.run()
    0.3 False
    2.5 the story goes on

On a simulation's `clock`, a process that was made before the first `advance` begins right after the tick at 0 s; the
end of the run leaves processes where they are.

Order at one instant: what is URGENT (vehicles move, processes begin, interrupts), then NORMAL, then LAST (decisions,
samples); within each, what was asked for first. A wait that is over resumes its story there and then; its event is
asked for at that moment, so processes go on after what was asked for before, in the order in which they began to wait.

A wait that fails throws its error into the processes that wait for its event. If none does any more (it was
interrupted, or another event of an `AnyOf` came first), the failure is nobody's and the run goes on. A process that
catches no error ends the run with it, as in SimPy, unless somebody waits for the process.
"""

import gc
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Any, Protocol, TypeAlias

import simpy
from simpy.core import EmptySchedule, StopSimulation
from simpy.events import Condition

from cosim.types import Failure

URGENT = 0
"""Before anything else at that instant: vehicles have moved before anyone looks."""
NORMAL = 1
LAST = 2
"""After everything else at that instant: decisions see all that has happened."""


def _unheard(wait: "Wait") -> None:
    """Nobody waited for it."""
    wait.ready = True


class Wait:
    """What a story can wait for. The part that owns it calls `resume(self)` once, later than `start`.

    Defaults stand in the class, here and in the subclasses: thousands of waits begin each second, and each then sets
    only what differs.
    """

    resume: Callable[["Wait"], None] = staticmethod(_unheard)
    error: Exception | None = None
    ready = False
    """Nobody must wait for it: it was over before anybody did, or `Clock.wait_for` has told its end."""

    def cancel(self, error: Exception) -> None:
        """Take this wait out of its part and throw `error` into the story that waits."""
        raise NotImplementedError

    def fail(self, error: Exception) -> None:
        """Resume the story with an error."""
        self.error = error
        self.resume(self)


Story: TypeAlias = Generator[Wait, None, None]


class Settled(Protocol):
    """What may be there without a wait, as a key is."""

    @property
    def ready(self) -> bool:
        """Whether it is."""
        ...


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
        if hasattr(event, "resume"):
            raise TypeError(f"a story has yielded {event}; yield EventWait(event)")
        callbacks, event.callbacks = event.callbacks, None
        for callback in callbacks:
            callback(event)
        if not event._ok and not hasattr(event, "_defused") and not _repeats_a_wait(event):
            raise event._value

    def pause(self, delay_s: float) -> "Pause":
        """A wait of `delay_s`.

        Raises:
            ValueError: it is negative or no number.
        """
        if not delay_s >= 0.0:
            raise ValueError(f"pause({delay_s!r}): time does not go back; give a delay of at least 0 s")
        pause = Pause()
        self.at(self.now + delay_s, pause.over)
        return pause

    def until(self, time_s: float) -> simpy.Event:
        """An event for SimPy's processes at `time_s` exactly, where `timeout` would add a delay to the time of now.

        At this very instant, it comes after what was asked for before.

        Raises:
            ValueError: `time_s` is past.
        """
        if not time_s >= self.now:
            raise ValueError(f"clock.until({time_s}): it is {self.now} s already; give a time that is not past")
        event = simpy.Event(self)
        event._ok, event._value = True, None
        self.at(time_s, partial(self._fire, event))
        return event

    def wait_for(self, wait: Wait | Story | Settled | None) -> "WaitEvent":
        """An event for SimPy's processes that succeeds when a wait or a story is over, or fails with its error.

        Its value is the wait, or None for a story, which begins here. What is `ready` is done at once, and so is None:
        no key was needed. A wait has one event, however often it is asked for; a story that waits for it too must have
        yielded it before, and goes on first.
        """
        if isinstance(wait, Generator):
            return WaitEvent(self).follow(wait)
        if not isinstance(wait, Wait):
            if wait is not None and not getattr(wait, "ready", False):
                raise TypeError(f"clock.wait_for({wait!r}): neither a wait nor a story")
            return WaitEvent(self).end(wait, None)
        listener = getattr(wait.resume, "__self__", None)
        if isinstance(listener, WaitEvent):
            return listener
        if wait.ready or (isinstance(listener, Life) and listener.wait is not wait):
            return WaitEvent(self).end(wait, wait.error)
        return WaitEvent(self).listen(wait)


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


class EventWait(Wait):
    """A wait of a story for a SimPy event: a process, a request for a resource, a timeout."""

    def __init__(self, event: simpy.Event) -> None:
        """Wait for an event; one that is over counts at this instant."""
        self.event = event
        if event.callbacks is None:
            event.env.at(event.env.now, partial(self._over, event))
        else:
            event.callbacks.append(self._over)

    def _over(self, event: Any) -> None:
        if self.error is not None:
            return  # cancelled at this very instant
        if event._ok:
            self.resume(self)
        else:
            event.defused = True
            self.fail(event._value)

    def cancel(self, error: Exception) -> None:
        """Wait no longer; the event is left as it is."""
        if self.event.callbacks is not None:
            self.event.callbacks.remove(self._over)
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


class WaitEvent(simpy.Event):  # type: ignore[misc]  # SimPy is read as untyped
    """A wait or a story as SimPy's processes see it; see `Clock.wait_for`."""

    awaited: Wait | Life | None = None
    """None once it is over, so that neither keeps the other in memory."""

    def listen(self, wait: Wait) -> "WaitEvent":
        """Tell the end of a wait."""
        self.awaited = wait
        self._first = wait.resume
        wait.resume = self._over
        return self

    def follow(self, story: Story) -> "WaitEvent":
        """Run a story to its first wait, and tell its end."""
        self.awaited = life = _SubStory(story, self)
        life.begin()
        return self

    def cancel(self, error: Failure) -> None:
        """Give up what this waits for: it is taken out of its part, and this fails unless a story catches `error`."""
        if self.awaited is not None:
            self.awaited.cancel(error)

    def end(self, value: object, error: Exception | None) -> "WaitEvent":
        """Succeed or fail, at this instant."""
        self.awaited = None
        if error is None:
            self.succeed(value)
        else:
            self.defused = True  # by nobody: who has turned away is not there to catch it
            self.fail(error)
        return self

    def _over(self, wait: Wait) -> None:
        del wait.resume
        wait.ready = True
        self._first(wait)
        self.end(wait, wait.error)


class _SubStory(Life):
    """A story behind an event."""

    def __init__(self, story: Story, event: WaitEvent) -> None:
        super().__init__(story)
        self._event = event

    def ended(self, failure: Failure | None) -> None:
        """Tell those that wait."""
        self._event.end(None, failure)


def _repeats_a_wait(event: Any) -> bool:
    """Whether a failed condition (`AnyOf`, `AllOf`) has its error from a wait, which ends nobody's run."""
    return isinstance(event, Condition) and any(
        part._value is event._value and (isinstance(part, WaitEvent) or _repeats_a_wait(part)) for part in event._events
    )


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
