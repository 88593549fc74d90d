"""Which chain of trusted nodes relays a key between two nodes; ETSI GS QKD 014 and paper S3 leave it to the operator.

The way of fewest hops, then of shortest fibre, then of lowest node numbers, among the links that can give the key. The
best way over all sound links is remembered for each pair of nodes, so that a draw usually looks at its pools alone.
"""

from collections.abc import Callable
from heapq import heappop, heappush

from cosim.keys.layout import KeyLayout
from cosim.keys.pool import KeyPool


class Route:
    """Links from one node to another, with their pools."""

    __slots__ = ("hops", "links", "pools")

    def __init__(self, links: tuple[int, ...], pools: tuple[KeyPool, ...]) -> None:
        self.links = links
        self.pools = pools
        self.hops = len(links)


class Routes:
    """Ways through the key network at the present levels of its pools."""

    def __init__(self, layout: KeyLayout, pools: list[KeyPool], sound: Callable[[int], bool]) -> None:
        """Remember the graph.

        Args:
            layout: nodes and links.
            pools: of the links.
            sound: whether a link is up.
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
        """The links of a node, by number."""
        return [link for _, link in self._near[node]]

    def filled(self) -> None:
        """Pools have got more: what was short may not be."""
        self._detours.clear()
        self._hopeless.clear()

    def changed(self) -> None:
        """A link came up or went down."""
        self._best.clear()
        self._all_sound = all(map(self._sound, range(len(self._pools))))
        self.filled()

    def best(self, start: int, end: int) -> Route:
        """The way over sound links, or over any where those do not join the nodes; levels are not looked at."""
        route = self._best.get((start, end))
        if route is None:
            found = self._search(start, end, self._sound) or self._search(start, end, lambda _: True)
            assert found is not None  # noqa: S101 - a layout has no islands
            self._best[start, end] = route = found
        return route

    def route(self, start: int, end: int, bit: int, now: float) -> Route | None:
        """The best way whose pools can all give `bit` now; None if there is none.

        Links that are up go first: only if they do not do, what is stored at the ends of a link that is down is used.

        Args:
            start: node.
            end: node; the same one gives a way without hops.
            bit: from each pool.
            now: simulated time.
        """
        route = self._best.get((start, end)) or self.best(start, end)
        for pool in route.pools:
            if pool.stored_bit < bit or (pool.first_s <= now and not pool.can_give(bit, now)):
                return self._detour(start, end, bit, now)
        return route

    def _detour(self, start: int, end: int, bit: int, now: float) -> Route | None:
        """What was found since pools last got more holds for as many bits or more: pools have only shrunk."""
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
        """Dijkstra's algorithm over (hops, length, nodes)."""
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
