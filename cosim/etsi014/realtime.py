"""Real time: a simulated clock that follows the wall clock, times a speed, as far as the machine can."""

from collections.abc import Callable

from cosim.kernel.clock import LAST, Clock

_MOST_S = 0.1
"""Longest real time that one call of `catch_up` may take; requests wait meanwhile."""


class RealTime:
    """Drives a simulated clock by the wall clock; nothing here enters a simulated result.

    Args:
        clock: clock of the key network.
        step_s: simulated time that is advanced in one go.
        speed: simulated seconds in a real one.
        now_s: returns real time from a monotonic clock.
        tell: called once with a warning if the machine cannot keep the speed.
    """

    def __init__(
        self, clock: Clock, step_s: float, speed: float, now_s: Callable[[], float], tell: Callable[[str], None]
    ) -> None:
        self._clock = clock
        self._step_s = step_s
        self._speed = speed
        self._now_s = now_s
        self._tell = tell
        self._behind = False
        self._set()

    def catch_up(self) -> None:
        """Advance the simulated clock to the present; where that takes too long, let simulated time fall behind."""
        began_s = self._now_s()
        target_s = self._simulated_s + (began_s - self._real_s) * self._speed
        while self._clock.now < target_s:
            if self._now_s() - began_s > _MOST_S:
                self._fall_behind()
                return
            self._clock.at(min(target_s, self._clock.now + self._step_s), self._clock.halt, LAST + 1)
            self._clock.advance()

    def _set(self) -> None:
        """Compare the two clocks from this instant on."""
        self._simulated_s, self._real_s = self._clock.now, self._now_s()

    def _fall_behind(self) -> None:
        self._set()
        if not self._behind:
            self._behind = True
            self._tell(f"the key network cannot keep --speed {self._speed:g}; it goes as fast as this machine can")
