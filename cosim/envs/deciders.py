"""The agent that decides a waiting task when several share a scenario: the one of its site, or of its vehicle."""

import heapq

import numpy as np

from cosim.decision import Observation
from cosim.types import IntArray, Tier


def deciding_site(observation: Observation) -> IntArray:
    """Return the site that decides each task, (T,): the first feasible edge option's, which has the strongest signal.

    Site 0 decides for the tasks that no edge host can take.
    """
    edge = (observation.tier == Tier.EDGE) & observation.feasible
    first = edge.argmax(axis=1)
    site: IntArray = np.where(edge.any(axis=1), observation.target[np.arange(len(observation)), first], 0)
    return site


class Seats:
    """Seats that vehicles hold while they are on the map, numbered from 0: each takes the lowest that is free.

    Seats change hands when `update` is called; vehicles that arrive together take theirs in the order of their numbers.
    One that arrives and leaves between two calls never has a seat.

    >>> seats = Seats()
    >>> seats.update(np.array([4, 7]))
    >>> seats.update(np.array([7, 9]))
    >>> seats.of(np.array([7, 9])).tolist()
    [1, 0]
    """

    def __init__(self) -> None:
        self._seat: dict[int, int] = {}
        self._free: list[int] = []

    def update(self, present: IntArray) -> None:
        """Free the seats of vehicles that have left, then give seats to those that have arrived.

        Args:
            present: numbers of the vehicles on the map, in increasing order.
        """
        here = frozenset(present.tolist())
        for vehicle in [vehicle for vehicle in self._seat if vehicle not in here]:
            heapq.heappush(self._free, self._seat.pop(vehicle))
        for vehicle in present.tolist():
            if vehicle not in self._seat:
                self._seat[vehicle] = heapq.heappop(self._free) if self._free else len(self._seat)

    def of(self, vehicles: IntArray) -> IntArray:
        """Return the seats of vehicles that are on the map, of the same shape."""
        return np.array([self._seat[vehicle] for vehicle in vehicles.tolist()], np.int64)
