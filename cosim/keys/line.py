"""Transfers that wait for a key, in their order, and which pools they are short of.

Nobody overtakes at a pool that is short: who comes after somebody that waits for a pool's bits leaves that pool alone,
even if the little that it holds would do. At other pools the later one may go first.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from math import nan
from typing import NamedTuple, TypeAlias

from cosim.kernel.clock import Wait

Rank: TypeAlias = tuple[float, int]


class Key(NamedTuple):
    """A transfer's key that was there at once."""

    asked_s: float
    keyed_s: float
    bit: int
    """Taken from the vehicle's pool, from the helper's, and from each hop."""
    hops: int


class KeyRequest(Wait):
    """A transfer's key that has to be waited for, or that there will not be."""

    keyed_s = nan
    """NaN until it is given, and for ever without one."""
    bit = 0
    """As in `Key`."""
    hops = 0
    ready = False
    """It was settled at once, without a key: the story must not wait."""
    rank: Rank = (0.0, 0)
    """Smaller goes first."""
    withdraw: Callable[["KeyRequest"], None] | None = None
    """Takes it out of the line; None once it is out."""

    def __init__(self, vehicle: int, helper: int, site: int, size_bit: float, wanted_bit: int, asked_s: float) -> None:
        self.vehicle = vehicle
        self.helper = helper
        self.site = site
        self.size_bit = size_bit
        self.wanted_bit = wanted_bit
        self.asked_s = asked_s

    def cancel(self, error: Exception) -> None:
        """Wait no longer; a key that was given at this instant stays used."""
        if self.withdraw is not None:
            self.withdraw(self)
        self.fail(error)


_Heaps: TypeAlias = dict[int, list[tuple[Rank, KeyRequest]]]


class Line:
    """All requests that wait."""

    def __init__(self) -> None:
        self.waiting: dict[int, KeyRequest] = {}
        """By the order of asking."""
        self._vehicles: _Heaps = {}
        self._links: _Heaps = {}

    def add(self, request: KeyRequest) -> None:
        """A request joins."""
        request.withdraw = self.remove
        self.waiting[request.rank[1]] = request

    def remove(self, request: KeyRequest) -> None:
        """A request is out."""
        request.withdraw = None
        del self.waiting[request.rank[1]]

    def in_order(self) -> list[KeyRequest]:
        """All that wait, who goes first first."""
        return sorted(self.waiting.values(), key=lambda request: request.rank)

    def as_asked(self) -> list[KeyRequest]:
        """All that wait, by when they asked."""
        return list(self.waiting.values())

    def forget(self) -> None:
        """Nobody is short of anything, until it is found again."""
        self._vehicles.clear()
        self._links.clear()

    def short_of_vehicle(self, request: KeyRequest, vehicle: int) -> None:
        """A request needs the pool of a vehicle, which cannot give now."""
        heappush(self._vehicles.setdefault(vehicle, []), (request.rank, request))

    def short_of_link(self, request: KeyRequest, link: int) -> None:
        """A request needs the pool of a link, which cannot give now."""
        heappush(self._links.setdefault(link, []), (request.rank, request))

    def vehicle_taken(self, vehicle: int, rank: Rank) -> bool:
        """Whether somebody of a smaller rank waits for the pool of a vehicle."""
        return vehicle in self._vehicles and _ahead(self._vehicles, vehicle, rank)

    def link_taken(self, link: int, rank: Rank) -> bool:
        """Whether somebody of a smaller rank waits for the pool of a link."""
        return link in self._links and _ahead(self._links, link, rank)


def _ahead(heaps: _Heaps, number: int, rank: Rank) -> bool:
    heap = heaps[number]
    while heap and heap[0][1].withdraw is None:
        heappop(heap)
    if not heap:
        del heaps[number]
        return False
    return heap[0][0] < rank
