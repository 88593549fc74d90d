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

Order at one instant: URGENT actions (vehicles move, processes begin, interrupts), then NORMAL, then LAST (decisions,
samples); within each, in the order in which they were scheduled. A wait that is over resumes its story at once; its
event is scheduled at that moment, so processes go on after what was scheduled before, in the order in which they began
to wait.

A wait that fails throws its error into the processes that wait for its event. If none does any more (it was
interrupted, or another event of an `AnyOf` came first), the failure is dropped and the run goes on. A process that
does not catch an error ends the run with it, as in SimPy, unless another process or story waits for it.
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
"""Before anything else at that instant: vehicles have moved before anything reads their positions."""
NORMAL = 1
LAST = 2
"""After everything else at that instant: decisions see all that has happened."""


def _unheard(wait: "Wait") -> None:
    """Mark a wait as over although nothing waits for it."""
    wait.ready = True


class Wait:
    """Something that a story can wait for. The part that owns it calls `resume(self)` once, later than `start`.

    Defaults are class attributes, here and in the subclasses: thousands of waits begin each second, and each then sets
    only what differs.
    """

    resume: Callable[["Wait"], None] = staticmethod(_unheard)
    error: Exception | None = None
    """Why the wait ended early; None if it did not."""
    ready = False
    """Whether nothing needs to wait for it: it was over before, or `Clock.wait_for` has reported its end."""

    def cancel(self, error: Exception) -> None:
        """Take this wait out of its part and throw `error` into the story that waits."""
        raise NotImplementedError

    def fail(self, error: Exception) -> None:
        """Resume the story with an error."""
        self.error = error
        self.resume(self)


Story: TypeAlias = Generator[Wait, None, None]


class Settled(Protocol):
    """A result that may be there without a wait, as a key may be."""

    @property
    def ready(self) -> bool:
        """Whether it is there."""
        ...


class Clock(simpy.Environment):  # type: ignore[misc]  # SimPy is read as untyped
    """SimPy's environment with a cheaper queue: its entries are plain callables, and SimPy's events are among them.

    Attributes:
        now: simulated time in s.
    """

    now: float = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.numbers: count[int] = self._eid
        """Counter whose numbers are unique on this clock, so that what is numbered can move between parts."""

    # `now` is a plain attribute here, because SimPy's property costs more than many of the actions.
    @property
    def _now(self) -> float:
        return self.now

    @_now.setter
    def _now(self, value: float) -> None:
        self.now = value

    def at(self, time_s: float, action: Callable[[], None], priority: int = NORMAL) -> None:
        """Call `action` at a time.

        Args:
            time_s: simulated time, not before now.
            action: called without arguments.
            priority: order among the actions of that time: URGENT, NORMAL or LAST.
        """
        heappush(self._queue, (time_s, priority, next(self.numbers), action))

    def schedule(self, event: simpy.Event, priority: int = NORMAL, delay: float = 0.0) -> None:
        """Schedule a SimPy event; SimPy itself calls this for succeeded events, timeouts and processes.

        Args:
            event: the event.
            priority: order among the actions of that time.
            delay: from now, in s.
        """
        self.at(self.now + delay, partial(self._fire, event), priority)

    def every(self, step_s: float, action: Callable[[int], None], first: int = 0, priority: int = URGENT) -> None:
        """Call `action(n)` at `n * step_s` for n = first, first + 1, ...; times are products, never sums.

        Args:
            step_s: time between two calls.
            action: called with n.
            first: n of the first call.
            priority: order among the actions of that time.
        """

        def turn(n: int) -> None:
            # The next call comes first: `action` may halt the clock, which leaves this function by an exception.
            self.at((n + 1) * step_s, partial(turn, n + 1), priority)
            action(n)

        self.at(first * step_s, partial(turn, first), priority)

    def halt(self) -> None:
        """End the current `advance` after this action; must be the last call in it."""
        raise StopSimulation(None)

    def advance(self) -> None:
        """Run until an action halts the clock."""
        queue = self._queue
        try:
            while queue:
                self.now, _, _, action = heappop(queue)
                action()
        except StopSimulation:
            return

    def step(self) -> None:
        """Run one action; SimPy's own `run` is made of steps."""
        if not self._queue:
            raise EmptySchedule
        self.now, _, _, action = heappop(self._queue)
        action()

    def _fire(self, event: Any) -> None:
        """Run the callbacks of a SimPy event that is due; a failed event that nothing caught ends the run."""
        if hasattr(event, "resume"):
            raise TypeError(f"a story has yielded {event}; yield EventWait(event)")
        callbacks, event.callbacks = event.callbacks, None
        for callback in callbacks:
            callback(event)
        if not event._ok and not hasattr(event, "_defused") and not _repeats_a_wait(event):
            raise event._value

    def pause(self, delay_s: float) -> "Pause":
        """Return a wait of `delay_s`.

        Raises:
            ValueError: the delay is negative or not a number.
        """
        if not delay_s >= 0.0:
            raise ValueError(f"pause({delay_s!r}): time does not go back; give a delay of at least 0 s")
        pause = Pause()
        self.at(self.now + delay_s, pause.over)
        return pause

    def until(self, time_s: float) -> simpy.Event:
        """Return an event for SimPy's processes at `time_s` exactly; `timeout` would add a delay to the present time.

        For the present instant, it comes after what was scheduled before.

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
        """Return an event for SimPy's processes that succeeds when a wait or a story is over, or fails with its error.

        Its value is the wait, or None for a story, which begins here. The event of something `ready` succeeds at once,
        and so does that of None: no key was needed. A wait has one event, however often this is called; a story that
        waits for it too must have yielded it before, and goes on first.

        Raises:
            TypeError: the argument is neither a wait nor a story.
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
        """End the wait, unless it was cancelled."""
        if not self._cancelled:
            self.resume(self)

    def cancel(self, error: Exception) -> None:
        """Stop waiting."""
        self._cancelled = True
        self.fail(error)


class EventWait(Wait):
    """A wait of a story for a SimPy event: a process, a request for a resource, a timeout."""

    def __init__(self, event: simpy.Event) -> None:
        """Wait for an event; an event that is already over ends the wait at this instant."""
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
        """Stop waiting; the event is left as it is."""
        if self.event.callbacks is not None:
            self.event.callbacks.remove(self._over)
        self.fail(error)


class Life:
    """A story in progress: it runs from wait to wait."""

    wait: Wait | None = None
    """The present wait; None before the story begins and once it has ended, so that neither keeps the other alive."""
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
        """Handle the end of the story, regular or by a failure that it did not catch, which is raised here."""
        if failure is not None:
            raise failure

    def cancel(self, error: Exception) -> None:
        """Throw `error` into the story, through its present wait."""
        if self.wait is not None:
            self.wait.cancel(error)


class WaitEvent(simpy.Event):  # type: ignore[misc]  # SimPy is read as untyped
    """A wait or a story as an event of SimPy; see `Clock.wait_for`."""

    awaited: Wait | Life | None = None
    """None once it is over, so that neither keeps the other in memory."""

    def listen(self, wait: Wait) -> "WaitEvent":
        """Succeed or fail when the wait is over."""
        self.awaited = wait
        self._first = wait.resume
        wait.resume = self._over
        return self

    def follow(self, story: Story) -> "WaitEvent":
        """Run a story to its first wait, and succeed or fail when it is over."""
        self.awaited = life = _SubStory(story, self)
        life.begin()
        return self

    def cancel(self, error: Failure) -> None:
        """Cancel the wait or story behind this event, which fails with `error` unless a story catches it."""
        if self.awaited is not None:
            self.awaited.cancel(error)

    def end(self, value: object, error: Exception | None) -> "WaitEvent":
        """Succeed or fail, at this instant."""
        self.awaited = None
        if error is None:
            self.succeed(value)
        else:
            self.defused = True  # else SimPy would end the run if the process that waited has been interrupted
            self.fail(error)
        return self

    def _over(self, wait: Wait) -> None:
        del wait.resume
        wait.ready = True
        self._first(wait)
        self.end(wait, wait.error)


class _SubStory(Life):
    """A story that runs behind an event."""

    def __init__(self, story: Story, event: WaitEvent) -> None:
        super().__init__(story)
        self._event = event

    def ended(self, failure: Failure | None) -> None:
        """End the event."""
        self._event.end(None, failure)


def _repeats_a_wait(event: Any) -> bool:
    """Return whether a failed condition (`AnyOf`, `AllOf`) has its error from a wait, which ends no run."""
    return isinstance(event, Condition) and any(
        part._value is event._value and (isinstance(part, WaitEvent) or _repeats_a_wait(part)) for part in event._events
    )


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Let Python's garbage collector run seldom, and skip all objects that exist already.

    It would walk the whole network of a simulation again and again, although what comes and goes is freed by reference
    counting. Calls may be nested.
    """
    threshold, frozen = gc.get_threshold(), gc.get_freeze_count()
    if not frozen:
        gc.collect()
        gc.freeze()
    gc.set_threshold(500_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        if not frozen:
            gc.unfreeze()
