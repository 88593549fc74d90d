"""A workload for one part of the simulator: processes that begin at given times and wait for that part, as tasks do."""

from collections.abc import Callable
from itertools import count
from math import nan

import numpy as np

from cosim.kernel.clock import Clock, Life, Story, Wait
from cosim.types import Failure, FloatArray


def poisson_s(rng: np.random.Generator, rate_hz: float, number: int) -> FloatArray:
    """Return the times of the first arrivals of a Poisson process, (number,).

    Args:
        rng: generator of the arrivals.
        rate_hz: arrival rate.
        number: number of arrivals.
    """
    arrivals_s: FloatArray = np.cumsum(rng.exponential(1.0 / rate_hz, number))
    return arrivals_s


def drive(clock: Clock, arrivals_s: FloatArray, story: Callable[[int], Story]) -> None:
    """Begin `story(k)` at `arrivals_s[k]`, and run until nothing is left to happen.

    Args:
        clock: clock of the parts.
        arrivals_s: times of the arrivals, ascending, at least one.
        story: process of the k-th arrival.
    """
    times_s, numbers = arrivals_s.tolist(), count()

    def arrive() -> None:
        number = next(numbers)
        if number + 1 < len(times_s):
            clock.at(times_s[number + 1], arrive)
        Life(story(number)).begin()

    clock.at(times_s[0], arrive)
    clock.advance()


def sojourns_s(clock: Clock, arrivals_s: FloatArray, start: Callable[[int], Wait]) -> FloatArray:
    """Return the time that each arrival spends in a part; NaN for one that was turned away or failed.

    Args:
        clock: clock of the part.
        arrivals_s: times of the arrivals, ascending, at least one.
        start: puts the k-th arrival into the part.
    """
    spent_s = [nan] * len(arrivals_s)

    def story(number: int) -> Story:
        entered_s = clock.now
        try:
            yield start(number)
        except Failure:
            return
        spent_s[number] = clock.now - entered_s

    drive(clock, arrivals_s, story)
    return np.array(spent_s)
