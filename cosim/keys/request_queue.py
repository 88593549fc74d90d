"""The queue of key requests: transfers that wait for a key, and the pools on which they are blocked.

No request overtakes another at a pool: while an earlier one waits for a pool's bits, a later one takes none from it,
even if the little that it holds were enough. At other pools the later one may be served first.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from math import nan
from typing import NamedTuple, TypeAlias

from cosim.kernel.clock import Wait

Rank: TypeAlias = tuple[float, int]


class GrantedKey(NamedTuple):
    """The key of a transfer that was granted at once."""

    asked_s: float
    keyed_s: float
    bit: int
    """Bits taken from the vehicle's pool, from the helper's, and from the pool of each hop."""
    hops: int

    @property
    def ready(self) -> bool:
        """True: the transfer need not wait."""
        return True


class QueuedKeyRequest(Wait):
    """A key request that could not be granted at once: it waits in the queue, or goes on without a key."""

    keyed_s = nan
    """When the key was granted; NaN until then, and for good if it never is."""
    bit = 0
    """As in `GrantedKey`."""
    hops = 0
    ready = False
    """Whether the transfer goes on at once without a key, and must not wait."""
    rank: Rank = (0.0, 0)
    """Requests of smaller rank are served first; the second number is the order of asking."""
    withdraw: Callable[["QueuedKeyRequest"], None] | None = None
    """Function that removes the request from the queue; None once it is out."""

    def __init__(self, vehicle: int, helper: int, site: int, size_bit: float, wanted_bit: int, asked_s: float) -> None:
        self.vehicle = vehicle
        self.helper = helper
        self.site = site
        self.size_bit = size_bit
        self.wanted_bit = wanted_bit
        self.asked_s = asked_s

    def cancel(self, error: Exception) -> None:
        """End the wait with an error; the bits of a key that was granted at this very instant stay used."""
        if self.withdraw is not None:
            self.withdraw(self)
        self.fail(error)


_Heaps: TypeAlias = dict[int, list[tuple[Rank, QueuedKeyRequest]]]


class RequestQueue:
    """A queue of key requests, and for each pool those of them that are blocked on it."""

    def __init__(self) -> None:
        self.waiting: dict[int, QueuedKeyRequest] = {}
        """The requests by their order of asking, the second number of their rank."""
        self._vehicles: _Heaps = {}
        self._links: _Heaps = {}

    def add(self, request: QueuedKeyRequest) -> None:
        """Add a request."""
        request.withdraw = self.remove
        self.waiting[request.rank[1]] = request

    def remove(self, request: QueuedKeyRequest) -> None:
        """Remove a request."""
        request.withdraw = None
        del self.waiting[request.rank[1]]

    def in_order(self) -> list[QueuedKeyRequest]:
        """Return the requests in the order in which they are served."""
        return sorted(self.waiting.values(), key=lambda request: request.rank)

    def as_asked(self) -> list[QueuedKeyRequest]:
        """Return the requests in the order in which they were made."""
        return list(self.waiting.values())

    def forget(self) -> None:
        """Forget which pools requests are blocked on."""
        self._vehicles.clear()
        self._links.clear()

    def block_on_vehicle(self, request: QueuedKeyRequest, vehicle: int) -> None:
        """Note that a request waits for the pool of a vehicle."""
        heappush(self._vehicles.setdefault(vehicle, []), (request.rank, request))

    def block_on_link(self, request: QueuedKeyRequest, link: int) -> None:
        """Note that a request waits for the pool of a link."""
        heappush(self._links.setdefault(link, []), (request.rank, request))

    def prior_claim_on_vehicle(self, vehicle: int, rank: Rank) -> bool:
        """Return whether a request of smaller rank waits for the pool of a vehicle."""
        return vehicle in self._vehicles and _ahead(self._vehicles, vehicle, rank)

    def prior_claim_on_link(self, link: int, rank: Rank) -> bool:
        """Return whether a request of smaller rank waits for the pool of a link."""
        return link in self._links and _ahead(self._links, link, rank)


def _ahead(heaps: _Heaps, number: int, rank: Rank) -> bool:
    heap = heaps[number]
    # Requests that have left the queue are dropped here, when they come to the top: heaps cannot remove from within.
    while heap and heap[0][1].withdraw is None:
        heappop(heap)
    if not heap:
        del heaps[number]
        return False
    return heap[0][0] < rank
