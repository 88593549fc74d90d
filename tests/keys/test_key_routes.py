"""Routes that are kept from slot to slot, against all simple paths at the present levels, looked at anew each time."""

from typing import Any

import networkx as nx
import numpy as np
import pytest
from effort import drawn, seeds
from hypothesis import given
from hypothesis import strategies as st
from keynet import World

from cosim.keys.layout import Fibre, KeyLayout
from cosim.keys.pool import KeyPool
from cosim.keys.routes import Route, Routes
from cosim.types import LinkState

UM_PER_KM = 1e9
BITS = (1, 3, 4, 8, 300)
LENGTHS_KM = (1.0, 1.0, 2.0, 0.1 + 0.2, 0.3, 3.0)
"""Many ties; 0.1 + 0.2 is 0.3 but for the last digit."""


class Net:
    """A key network without slots: pools are filled, emptied and cut off by hand."""

    def __init__(self, nodes: int, links: list[tuple[int, int, float]], expiry_s: float | None = None) -> None:
        fibres = tuple(Fibre(*link) for link in links)
        self.layout = KeyLayout(tuple(map(str, range(nodes))), nodes, np.zeros((nodes, 2)), fibres)
        self.pools = [KeyPool(10, 0, expiry_s) for _ in fibres]
        self.up = [True] * len(fibres)
        self.routes = Routes(self.layout, self.pools, lambda link: self.up[link])
        self.now = 0.0

    def fill(self, link: int, bit: int) -> None:
        """Bits come into the pool of a link."""
        pool = self.pools[link]
        pool.expire(self.now)
        before = pool.stored_bit
        if pool.store(bit, self.now):
            self.routes.filled(link, before)

    def turn(self, link: int) -> None:
        """A link that is up goes down, one that is down comes up."""
        self.up[link] = not self.up[link]
        self.routes.changed(link)


def expected(
    layout: KeyLayout, pools: list[KeyPool], up: list[bool], start: int, end: int, bit: int, now: float
) -> tuple[int, ...] | None:
    """The links of the best of all simple paths: over links that are up if one of those can give the bits."""
    if start == end:
        return ()
    for sound in (True, False):
        graph = nx.Graph()
        graph.add_nodes_from(range(len(layout.names)))
        for link, fibre in enumerate(layout.links):
            if pools[link].can_give(bit, now) and (up[link] or not sound):
                graph.add_edge(fibre.start, fibre.end, link=link, um=round(fibre.length_km * UM_PER_KM))
        ways = [
            (len(hops), sum(graph.edges[hop]["um"] for hop in hops), [end for _, end in hops], hops)
            for hops in nx.all_simple_edge_paths(graph, start, end)
        ]
        if ways:
            return tuple(graph.edges[hop]["link"] for hop in min(ways)[-1])
    return None


def links_of(route: Route | None) -> tuple[int, ...] | None:
    return None if route is None else route.links


@st.composite
def nets(draw: st.DrawFn) -> Net:
    """A connected network of at most 7 nodes, with rings."""
    nodes = draw(st.integers(2, 7))
    tree = {(draw(st.integers(0, node - 1)), node) for node in range(1, nodes)}
    more = draw(st.sets(st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)), max_size=8))
    pairs = sorted(tree | {(min(pair), max(pair)) for pair in more if pair[0] != pair[1]})
    order = draw(st.permutations(pairs))
    lengths = st.sampled_from(LENGTHS_KM)
    return Net(nodes, [(*pair, draw(lengths)) for pair in order], draw(st.sampled_from([None, 2.0])))


@drawn(4000, least=150)
@given(nets(), st.data())
def test_kept_routes_are_those_of_a_full_search(net: Net, data: st.DataObject) -> None:
    """Through dry-outs, refills, expiry, cuts and returns each answer is the best of all simple paths then."""
    links = len(net.pools)
    node = st.integers(0, len(net.layout.names) - 1)
    pairs = data.draw(st.lists(st.tuples(node, node), min_size=1, max_size=3))
    steps = st.one_of(
        st.tuples(st.just("fill"), st.integers(0, links - 1), st.sampled_from(BITS)),
        st.tuples(st.just("drain"), st.integers(0, links - 1)),
        st.tuples(st.just("turn"), st.integers(0, links - 1)),
        st.tuples(st.just("age")),
        st.tuples(st.just("ask"), st.sampled_from(pairs), st.sampled_from(BITS), st.booleans()),
    )
    for link in range(links):
        net.fill(link, data.draw(st.sampled_from((0, *BITS))))
    for step in data.draw(st.lists(steps, min_size=5, max_size=60)):
        match step:
            case ("fill", link, bit):
                net.fill(link, bit)
            case ("turn", link):
                net.turn(link)
            case ("age",):
                net.now += 1.0
            case ("drain", link):
                net.pools[link].drop()
            case ("ask", (start, end), bit, take):
                route = net.routes.route(start, end, bit, net.now)
                assert links_of(route) == expected(net.layout, net.pools, net.up, start, end, bit, net.now)
                full = [KeyPool(1) for _ in net.pools]
                assert net.routes.best(start, end).links == expected(net.layout, full, net.up, start, end, 0, 0.0)
                for pool in route.pools if route is not None and take else ():
                    assert pool.take(bit, net.now)
        for pool in net.pools:
            assert pool.generated_bit == pool.used_bit + pool.lost_bit + pool.stored_bit


@pytest.mark.parametrize("times", [1, 10, 50])
def test_a_pool_that_comes_back_betters_a_detour(times: int) -> None:
    """With the shortest of three ways dry the second is taken, the third while that is dry too, however often."""
    net = Net(4, [(0, 1, 1.0), (0, 2, 1.0), (2, 1, 1.0), (0, 3, 5.0), (3, 1, 5.0)])
    for link in range(1, 5):
        net.fill(link, 8)
    assert net.pools[1].take(6, 0.0)
    assert links_of(net.routes.route(0, 1, 3, 0.0)) == (3, 4)
    assert links_of(net.routes.route(1, 0, 1, 0.0)) == (2, 1)  # for less there is enough
    for _ in range(times):
        net.fill(1, 6)
        assert net.pools[1].take(6, 0.0)
    net.fill(1, 6)
    assert links_of(net.routes.route(0, 1, 3, 0.0)) == (1, 2)


def attack(draw: np.random.Generator, kind: str, ends: tuple[str, str]) -> dict[str, Any]:
    start_s = float(draw.integers(0, 30)) / 2
    return {"kind": kind, "ends": ends, "start_s": start_s, "end_s": start_s + float(draw.integers(1, 16)) / 2}


@pytest.mark.parametrize("seed", seeds(200, least=10))
def test_routes_of_a_network_in_time(seed: int) -> None:
    """A network with cuts, aborts, expiry and vehicles that draw has the routes of a full search in every slot."""
    draw = np.random.default_rng(seed)
    places = [(x * 1000.0, y * 1000.0) for y in range(3) for x in range(3)]
    pairs = [(a, b) for a in range(9) for b in range(9) if b - a == 3 or (b - a == 1 and b % 3)]
    names = [(f"s{a}", f"s{b}") for a, b in pairs]
    kinds = ("cut", "eavesdropper")
    attacks = [attack(draw, kind, names[int(draw.integers(12))]) for kind in kinds for _ in range(4)]
    world = World(
        places,
        topology={"links": [{"ends": ends} for ends in names]},
        pool={"capacity_bit": 3000, "initial_bit": int(draw.integers(0, 600)), "expiry_s": 6.0},
        vehicle={"kind": "dock", "site": "s0"},
        use={"kind": "aes256_rekey", "lifetime_s": 1e-9},
        attacks=attacks,
        abort_pause_s=2.0,
        block_slots=int(draw.integers(1, 4)),
    )
    for number in range(24):
        world.run(number + 0.7)
        world.enter(number)
        for _ in range(int(draw.integers(1, 12))):
            world.ask(number, int(draw.integers(9)), by_s=number + 2.0)
        network = world.network
        up = [state == LinkState.UP for state in network.state]
        for bit in (100, 256, 600):
            start, end = (int(node) for node in draw.integers(0, 9, 2))
            found = expected(world.layout, network.pools, up, start, end, bit, world.clock.now)
            assert links_of(network.route(start, end, bit)) == found
        world.check()
    assert any(row["state"] != LinkState.UP for row in world.facts.rows["KeyLinkChanged"])


def grid(side: int) -> Net:
    """A square grid of equal links."""
    nodes = range(side * side)
    right = [(node, node + 1, 1.0) for node in nodes if (node + 1) % side]
    return Net(side * side, [*right, *((node, node + side, 1.0) for node in nodes if node + side < side * side)])


def ask_all(net: Net, pairs: list[tuple[int, int]], bit: int = 3) -> int:
    """Ask for all pairs, and return how many searches that took."""
    before = net.routes.searches
    for start, end in pairs:
        net.routes.route(start, end, bit, net.now)
    return net.routes.searches - before


def test_routes_are_found_again_only_where_something_changed() -> None:
    """On a grid of 225 nodes a cut, a dry pool, its refill and a return cost searches of the pairs beside it alone."""
    net = grid(15)
    pairs = [(fibre.start, fibre.end) for fibre in net.layout.links]
    for link in range(len(net.pools)):
        net.fill(link, 6)
    assert ask_all(net, pairs) == len(pairs)
    for link in range(len(net.pools)):
        net.fill(link, 1)
    assert ask_all(net, pairs) == 0
    first = next(link for link, fibre in enumerate(net.layout.links) if (fibre.start, fibre.end) == (0, 1))
    net.turn(first)
    assert ask_all(net, pairs) == 1  # the pair whose link it is
    net.turn(first)
    assert ask_all(net, pairs) == 1
    assert net.pools[first].take(7, 0.0)
    assert ask_all(net, pairs) == 1  # around the dry pool
    assert ask_all(net, pairs) == 0
    last = len(net.pools) - 1
    assert net.pools[last].take(7, 0.0)
    assert ask_all(net, pairs) == 1
    net.fill(last, 3)
    assert ask_all(net, pairs) == 0  # the direct link is there again; the other detour is as good as before
    net.fill(first, 3)
    assert ask_all(net, pairs) == 0


def test_islands_are_found_once() -> None:
    """Where no pool has a bit one search for each node shows it, for all pairs and slots, until a pool comes back."""
    net = grid(8)
    pairs = [(start, end) for start in range(64) for end in range(64) if start != end]
    direct = len(pairs)  # without a look at the pools
    assert ask_all(net, pairs) <= direct + 64
    assert ask_all(net, pairs) == 0
    net.fill(0, 9)
    assert net.routes.route(0, 1, 3, 0.0) is not None
    assert net.routes.route(1, 2, 3, 0.0) is None
    assert ask_all(net, pairs) <= 2
