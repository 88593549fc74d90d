"""Routes of trusted nodes that relay a key between two nodes; ETSI GS QKD 014 and paper S3 leave them to the operator.

A route has the fewest hops, then the shortest fibre, then the lowest node numbers, among the links that can give the
key. Fibres are compared in whole micrometres: routes of equal length on a regular grid are equal, and sums are exact.
With exact sums the best route of a set of links is one and only: it stays the best when links without a part in it
drop out, and when links come in over which no route is as good. So what was found is kept, and found again only where
a pool ran dry on it, or one came back, or a link came up, that might better it.
"""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

from cosim.keys.layout import KeyLayout
from cosim.keys.pool import KeyPool
from cosim.scenario.keys import MOST_BIT

_UM_PER_KM: Final = 1e9
_RISES: Final = 32
"""Most pools that came back since a detour was found for which it is looked at again; beyond, to search is cheaper."""
_LEVELS: Final = 8
"""Most numbers of bits for which it is noted which nodes are apart."""

_Pair: TypeAlias = tuple[int, int]
_Rise: TypeAlias = tuple[int, int, int]


class Route:
    """The links from one node to another, in order, with their pools."""

    __slots__ = ("cost", "hops", "links", "pools")

    def __init__(self, links: tuple[int, ...], pools: tuple[KeyPool, ...], cost: int) -> None:
        self.links = links
        self.pools = pools
        self.hops = len(links)
        self.cost = cost
        """Hops and length in one number, by which routes are compared; see `RouteSearch`."""


class _Detour(NamedTuple):
    """A route around the pools that are short."""

    bit: int
    """Bits for which it is the best."""
    route: Route
    over_sound: bool
    """Whether all its links are up; else no route over links that are up could give the bits."""
    seen: int
    """Number of pools that had come back when it was known to be the best."""


class RouteSearch:
    """Searches for the best route over some of the links of a layout.

    A link costs 1 << `shift`, which is more than all fibres together, plus its length in micrometres: costs compare by
    hops, then by length.
    """

    def __init__(self, layout: KeyLayout) -> None:
        length_um = [round(fibre.length_km * _UM_PER_KM) for fibre in layout.links]
        self.shift: Final = sum(length_um).bit_length()
        self.cost: Final = [(1 << self.shift) + one_um for one_um in length_um]
        """Cost of each link, by number."""
        self._ends = [(fibre.start, fibre.end) for fibre in layout.links]
        self.near: Final[list[list[tuple[int, int]]]] = [[] for _ in layout.names]
        """Neighbour and link of each node."""
        for link, (start, end) in enumerate(self._ends):
            self.near[start].append((end, link))
            self.near[end].append((start, link))
        self._least: dict[int, list[int]] = {}

    def least(self, node: int) -> list[int]:
        """Return the least cost to a node from every node, all links counted."""
        least = self._least.get(node)
        if least is None:
            beyond = (len(self.near) + 1) << self.shift
            self._least[node] = least = [beyond] * len(self.near)
            least[node] = 0
            heap = [(0, node)]
            while heap:
                cost, here = heappop(heap)
                if cost > least[here]:
                    continue
                for other, link in self.near[here]:
                    further = cost + self.cost[link]
                    if further < least[other]:
                        least[other] = further
                        heappush(heap, (further, other))
        return least

    def least_over(self, link: int, start: int, end: int) -> int:
        """Return a cost that no route over a link is below.

        Args:
            link: the link.
            start: node at which routes begin.
            end: node at which they end.
        """
        one, other = self._ends[link]
        from_start, to_end = self.least(start), self.least(end)
        return self.cost[link] + min(from_start[one] + to_end[other], from_start[other] + to_end[one])

    def ends(self, link: int) -> tuple[int, int]:
        """Return the two nodes of a link."""
        return self._ends[link]

    def find(self, start: int, end: int, usable: Callable[[int], bool]) -> tuple[int, tuple[int, ...]] | set[int]:
        """Return cost and links of the best route over usable links, or the nodes that can be reached without `end`.

        By the algorithm A*: of routes that may still be the best, that of the lowest node numbers is followed first.

        Args:
            start: node at which the route begins.
            end: node at which it ends.
            usable: returns whether a link may be taken.
        """
        least = self.least(end)
        heap: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = [(least[start], (start,), ())]
        done: set[int] = set()
        while heap:
            cost, nodes, links = heappop(heap)
            node = nodes[-1]
            if node == end:
                return cost, links
            if node in done:
                continue
            done.add(node)
            so_far = cost - least[node]
            for other, link in self.near[node]:
                if other not in done and usable(link):
                    heappush(heap, (so_far + self.cost[link] + least[other], (*nodes, other), (*links, link)))
        return done


class Routes:
    """Finds routes through the key network at the present levels of its pools."""

    def __init__(self, layout: KeyLayout, pools: list[KeyPool], sound: Callable[[int], bool]) -> None:
        """Build the graph of the layout.

        Args:
            layout: nodes and links.
            pools: pool of each link, by number.
            sound: returns whether a link is up.
        """
        self._pools = pools
        self._sound = sound
        self._down = {link for link in range(len(pools)) if not sound(link)}
        self._graph = RouteSearch(layout)
        self._best: dict[_Pair, Route] = {}
        self._detours: dict[_Pair, _Detour] = {}
        self._rises: deque[_Rise] = deque(maxlen=_RISES)  # link, bits before and after
        self._risen = 0
        self._apart: dict[int, list[int]] = {}
        """For a number of bits, a mark of each node: no route that can give as many joins nodes of different marks."""
        self._fewest_bit, self._most_bit = MOST_BIT, 0
        """Smallest and largest number of bits of detours and marks: what a pool gets below or above matters to none."""
        self.searches = 0
        """Searches so far."""

    def near(self, node: int) -> list[int]:
        """Return the numbers of a node's links."""
        return [link for _, link in self._graph.near[node]]

    # --- what changes ----------------------------------------------------------------------------------------------

    def filled(self, link: int, before_bit: int) -> None:
        """Note that the pool of a link got more than the `before_bit` bits that it held."""
        after_bit = self._pools[link].stored_bit
        if before_bit >= self._most_bit or after_bit < self._fewest_bit:
            return
        self._rises.append((link, before_bit, after_bit))
        self._risen += 1
        one, other = self._graph.ends(link)
        for bit, marks in self._apart.items():
            if before_bit < bit <= after_bit and marks[one] != marks[other]:
                kept, gone = marks[one], marks[other]
                self._apart[bit] = [kept if mark == gone else mark for mark in marks]

    def changed(self, link: int) -> None:
        """Note that a link came up or went down: forget the routes that it takes part in, or might better."""
        best, detours, down = self._best, self._detours, self._down
        outdated = self._bettered_by if self._sound(link) else _broken_by
        old_best = [one for one, route in best.items() if outdated(link, one, route, down.isdisjoint(route.links))]
        old = [one for one, found in detours.items() if outdated(link, one, found.route, found.over_sound)]
        for pair in old_best:
            del best[pair]
        for pair in old:
            del detours[pair]
        (down.discard if self._sound(link) else down.add)(link)

    def _bettered_by(self, link: int, pair: _Pair, route: Route, over_sound: bool) -> bool:
        """Return whether a route over a link that has become usable may come before this one."""
        return not over_sound or self._graph.least_over(link, *pair) <= route.cost

    # --- what is asked ---------------------------------------------------------------------------------------------

    def best(self, start: int, end: int) -> Route:
        """Return the best route over links that are up, whatever their levels.

        Where those do not join the nodes, links that are down count too.
        """
        route = self._best.get((start, end))
        if route is None:
            found = self._search(start, end, self._sound)
            if isinstance(found, set):
                found = self._search(start, end, lambda _: True)
            assert isinstance(found, Route)  # noqa: S101 - a layout has no islands
            self._best[start, end] = route = found
        return route

    def route(self, start: int, end: int, bit: int, now: float) -> Route | None:
        """Return the best route whose pools can all give `bit` bits now; None if there is none.

        Links that are up are preferred: the key stored at the ends of a link that is down is used only where no route
        over links that are up can give the bits.

        Args:
            start: node.
            end: node; `start` itself gives a route without hops.
            bit: key bits taken from the pool of each hop.
            now: simulated time.
        """
        route = self._best.get((start, end)) or self.best(start, end)
        for pool in route.pools:
            if pool.stored_bit < bit or (pool.first_s <= now and not pool.can_give(bit, now)):
                return self._detour(start, end, bit, now)
        return route

    def _detour(self, start: int, end: int, bit: int, now: float) -> Route | None:
        """Return a route around the pools that are short, or None.

        What was found holds for as many bits or more while its pools can give them.
        """
        pair = start, end
        for apart_bit, marks in self._apart.items():
            if apart_bit <= bit and marks[start] != marks[end]:
                return None
        known = self._detours.get(pair)
        if known is not None and bit >= known.bit and all(pool.can_give(bit, now) for pool in known.route.pools):
            if known.seen == self._risen:
                return known.route
            if not self._bettered(pair, known):
                self._detours[pair] = known._replace(seen=self._risen)
                return known.route
        pools, down = self._pools, self._down
        found = self._search(start, end, lambda link: link not in down and pools[link].can_give(bit, now))
        over_sound = isinstance(found, Route)
        if isinstance(found, set) and down:
            found = self._search(start, end, lambda link: pools[link].can_give(bit, now))
        self._fewest_bit, self._most_bit = min(self._fewest_bit, bit), max(self._most_bit, bit)
        if isinstance(found, set):
            self._set_apart(found, bit)
            return None
        self._detours[pair] = _Detour(bit, found, over_sound, self._risen)
        return found

    def _bettered(self, pair: _Pair, known: _Detour) -> bool:
        """Return whether a pool that has come back since a detour was found may be part of a better route."""
        rises = self._risen - known.seen
        if rises > len(self._rises):
            return True
        for link, before_bit, after_bit in islice(self._rises, len(self._rises) - rises, None):
            crossed = before_bit < known.bit <= after_bit
            if crossed and self._bettered_by(link, pair, known.route, known.over_sound):
                return True
        return False

    def _set_apart(self, reached: set[int], bit: int) -> None:
        """Mark the nodes of an island: no link out of it can give `bit` bits, up or down."""
        marks = self._apart.get(bit)
        if marks is None:
            if len(self._apart) == _LEVELS:
                del self._apart[next(iter(self._apart))]
            self._apart[bit] = marks = [0] * len(self._graph.near)
        fresh = max(marks) + 1
        for node in reached:
            marks[node] = fresh

    def _search(self, start: int, end: int, usable: Callable[[int], bool]) -> Route | set[int]:
        """Return the best route over usable links, or the nodes that can be reached without `end`."""
        self.searches += 1
        found = self._graph.find(start, end, usable)
        if isinstance(found, set):
            return found
        cost, links = found
        return Route(links, tuple(self._pools[link] for link in links), cost)


def _broken_by(link: int, _pair: _Pair, route: Route, over_sound: bool) -> bool:
    """Return whether a route over links that are up takes one that has gone down."""
    return over_sound and link in route.links
