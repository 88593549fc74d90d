"""Routes of trusted nodes that relay a key between two nodes; ETSI GS QKD 014 and paper S3 leave them to the operator.

A route has the fewest hops, then the shortest fibre, then the lowest node numbers, among the links that can give the
key. The best route over all links that are up is kept for each pair of nodes, so that taking a key usually looks at the
pools of one route alone.
"""

from collections.abc import Callable
from heapq import heappop, heappush

from cosim.keys.layout import KeyLayout
from cosim.keys.pool import KeyPool


class Route:
    """The links from one node to another, in order, with their pools."""

    __slots__ = ("hops", "links", "pools")

    def __init__(self, links: tuple[int, ...], pools: tuple[KeyPool, ...]) -> None:
        self.links = links
        self.pools = pools
        self.hops = len(links)


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
        self._all_sound = True
        self._length_km = [fibre.length_km for fibre in layout.links]
        self._near: list[list[tuple[int, int]]] = [[] for _ in layout.names]  # (neighbour, link) of each node
        for link, fibre in enumerate(layout.links):
            self._near[fibre.start].append((fibre.end, link))
            self._near[fibre.end].append((fibre.start, link))
        self._best: dict[tuple[int, int], Route] = {}
        self._detours: dict[tuple[int, int], tuple[int, Route]] = {}
        self._hopeless: dict[tuple[int, int], int] = {}

    def near(self, node: int) -> list[int]:
        """Return the numbers of a node's links."""
        return [link for _, link in self._near[node]]

    def filled(self) -> None:
        """Forget which routes were short of key, after pools were filled."""
        self._detours.clear()
        self._hopeless.clear()

    def changed(self) -> None:
        """Forget all routes, after a link came up or went down."""
        self._best.clear()
        self._all_sound = all(map(self._sound, range(len(self._pools))))
        self.filled()

    def best(self, start: int, end: int) -> Route:
        """Return the best route over links that are up, whatever their levels.

        Where those do not join the nodes, links that are down count too.
        """
        route = self._best.get((start, end))
        if route is None:
            found = self._search(start, end, self._sound) or self._search(start, end, lambda _: True)
            assert found is not None  # noqa: S101 - a layout has no islands
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

        What was found since pools last got more holds for as many bits or more: pools have only shrunk.
        """
        pair = start, end
        if bit >= self._hopeless.get(pair, bit + 1):
            return None
        known = self._detours.get(pair)
        if known is not None and bit >= known[0] and all(pool.can_give(bit, now) for pool in known[1].pools):
            return known[1]
        pools, sound = self._pools, self._sound
        found = self._search(start, end, lambda link: pools[link].can_give(bit, now) and sound(link))
        if found is None and not self._all_sound:
            found = self._search(start, end, lambda link: pools[link].can_give(bit, now))
        if found is None:
            self._hopeless[pair] = bit
        else:
            self._detours[pair] = bit, found
        return found

    def _search(self, start: int, end: int, usable: Callable[[int], bool]) -> Route | None:
        """Return the best route over usable links by Dijkstra's algorithm, ordered by (hops, length, nodes)."""
        heap: list[tuple[int, float, tuple[int, ...], tuple[int, ...]]] = [(0, 0.0, (start,), ())]
        done: set[int] = set()
        while heap:
            hops, length_km, nodes, links = heappop(heap)
            node = nodes[-1]
            if node == end:
                return Route(links, tuple(self._pools[link] for link in links))
            if node in done:
                continue
            done.add(node)
            for other, link in self._near[node]:
                if other not in done and usable(link):
                    heappush(heap, (hops + 1, length_km + self._length_km[link], (*nodes, other), (*links, link)))
        return None
