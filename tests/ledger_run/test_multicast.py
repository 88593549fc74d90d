"""Messages along trees of wires: times against flows on every hop, against sums, and against a list of bundles."""

from collections import defaultdict
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeAlias

import networkx as nx
import numpy as np
import physics
import pytest
from effort import seeds

from cosim.kernel.clock import Clock, Life
from cosim.kernel.fluid import Flow
from cosim.kernel.rng import stream
from cosim.ledger.run.multicast import Freight, Multicast
from cosim.topology import Topology
from cosim.transport import Wires

Record: TypeAlias = Callable[[str, object], None]
Arrivals: TypeAlias = dict[tuple[int, int], float]
"""Time of arrival by number of the message and receiver."""
ROUNDING_S = 2e-9
"""A flow that would end within 1 ns has ended; two hops or more may each be early by that."""


class Spread:
    """A drawn network with messages to all, and transfers that share its wires; no two things happen at one instant."""

    def __init__(self, seed: int, others: int) -> None:
        rng = stream(seed, "test.multicast")
        self.sites = int(rng.integers(2, 9))
        graph = nx.star_graph(self.sites) if rng.random() < 0.4 else nx.random_labeled_tree(self.sites, seed=seed)
        if rng.random() < 0.5:
            graph.add_edge(*rng.permutation(self.sites)[:2].tolist())
        for _, _, wire in graph.edges(data=True):
            wire["latency_s"] = float(rng.choice([0.0, 1.0]) * rng.uniform(0.0, 0.02))
            wire["bandwidth_bps"] = float(rng.uniform(1e6, 3e6))
        self.topology = Topology(graph, self.sites, None)
        self.messages = [
            (float(rng.uniform(0.0, 0.03)), int(rng.integers(self.sites)), float(rng.uniform(2e3, 5e3)), freight)
            for freight in rng.choice(list(Freight), int(rng.integers(1, 13)))
        ]
        self.others = [
            (float(rng.uniform(0.0, 0.08)), *rng.permutation(self.sites)[:2].tolist(), float(rng.uniform(1e3, 5e4)))
            for _ in range(others)
        ]

    def receivers(self, start: int) -> tuple[int, ...]:
        """All sites but one."""
        return tuple(site for site in range(self.sites) if site != start)

    def arrivals(self, foresee: bool) -> tuple[Arrivals, Arrivals, int, float]:
        """When messages arrive and other transfers end, how many actions the clock made, and all bits of the wires."""
        clock = Clock()
        wires = Wires(clock, self.topology)
        multicast = Multicast(clock, wires, foresee)
        found: Arrivals = {}
        ended: Arrivals = {}

        def carried(number: int, start: int, end: int, size_bit: float) -> Any:
            yield from wires.carry(size_bit, start, end)
            ended[number, end] = clock.now

        for number, (time_s, start, size_bit, freight) in enumerate(self.messages):
            ends = self.receivers(start)

            def say(number=number, start=start, size_bit=size_bit, ends=ends, freight=freight) -> None:
                def heard(site: int) -> None:
                    assert (number, site) not in found
                    found[number, site] = clock.now

                multicast.send(size_bit, start, ends, ends, freight, heard)

            clock.at(time_s, say)
        for number, (time_s, start, end, size_bit) in enumerate(self.others):
            story = carried(number, start, end, size_bit)
            clock.at(time_s, Life(story).begin)
        clock.run()
        assert sorted(found) == sorted(
            (number, site) for number, message in enumerate(self.messages) for site in self.receivers(message[1])
        )
        return found, ended, next(clock.numbers), sum(wire.done for wire in wires.media())


def furthest(ours: Arrivals, theirs: Arrivals) -> float:
    """The largest difference of two tables of times with the same keys."""
    assert ours.keys() == theirs.keys()
    return max((abs(ours[key] - theirs[key]) for key in ours), default=0.0)


@pytest.mark.parametrize("others", [0, 6])
def test_times_are_those_of_flows_on_every_hop(others: int, record_property: Record) -> None:
    """On idle and on busy wires bundles arrive, and other transfers end, when they do with a flow for each bundle.

    4,000 drawn networks with up to 12 messages, with and without other transfers; wires carry the same bits.
    """
    worst_s, ours, theirs = 0.0, 0, 0
    for seed in seeds(4000, least=200):
        spread = Spread(seed, others)
        (found, ended, actions, bits), (flows, flows_ended, more, same) = spread.arrivals(True), spread.arrivals(False)
        worst_s = max(worst_s, furthest(found, flows), furthest(ended, flows_ended))
        assert bits == pytest.approx(same)
        ours, theirs = ours + actions, theirs + more
    record_property("measured", f"{worst_s:.1e} s apart; {ours} actions of the clock in place of {theirs}")
    assert worst_s <= ROUNDING_S
    physics.seen(worst_s, 0.0, "s")
    assert ours < 0.8 * theirs


def test_one_message_alone_takes_latencies_and_bits() -> None:
    """A message on idle wires takes the sums of latencies and of its bits over rates, as a transfer alone does."""
    worst_s = 0.0
    for seed in seeds(1000, least=50):
        spread = Spread(seed, 0)
        spread.messages = spread.messages[:1]
        ((time_s, start, size_bit, _),) = spread.messages
        topology = spread.topology
        sums = {
            (0, end): time_s + topology.latency_s[start, end] + size_bit * topology.per_bit_s[start, end]
            for end in spread.receivers(start)
        }
        worst_s = max(worst_s, furthest(spread.arrivals(True)[0], sums))
        assert furthest(spread.arrivals(False)[0], sums) <= ROUNDING_S
    assert worst_s < 1e-12


def by_a_list(spread: Spread) -> Arrivals:
    """Arrivals on wires that carry nothing else: each lane as a time at which it is free, and a list."""
    order = count()
    events: list[tuple[float, int, tuple[int, int, Freight] | None, int, list[int]]] = []
    free_s: dict[tuple[int, int, Freight], float] = defaultdict(float)
    waiting: dict[tuple[int, int, Freight], list[int]] = defaultdict(list)
    paths = [
        dict(nx.single_source_dijkstra_path(spread.topology.graph, m[1], weight="latency_s")) for m in spread.messages
    ]
    found: Arrivals = {}
    for number, (time_s, start, *_) in enumerate(spread.messages):
        heappush(events, (time_s, next(order), None, start, [number]))
    while events:
        now_s, _, lane, node, numbers = heappop(events)
        onwards: dict[tuple[int, int, Freight], list[int]] = {}
        if lane is not None and not numbers:  # the lane is free
            onwards = {lane: waiting.pop(lane)} if lane in waiting else {}
        for number in numbers:
            if lane is not None:
                found[number, node] = now_s
            hops = {tuple(path[at : at + 2]) for path in paths[number].values() for at in range(len(path) - 1)}
            for hop in sorted(hops):
                if hop[0] == node:
                    onwards.setdefault((*hop, spread.messages[number][3]), []).append(number)
        for out, theirs in onwards.items():
            if now_s < free_s[out] or out in waiting:
                waiting[out] += theirs
                continue
            wire = spread.topology.graph.edges[out[:2]]
            free_s[out] = now_s + sum(spread.messages[each][2] for each in theirs) / wire["bandwidth_bps"]
            heappush(events, (free_s[out], next(order), out, -1, []))
            heappush(events, (free_s[out] + wire["latency_s"], next(order), out, out[1], theirs))
    return {key: when for key, when in found.items() if key[1] < spread.sites}


def test_bundles_by_a_list() -> None:
    """Where nothing else is on the wires, votes arrive bundle by bundle as a list of lanes says."""
    for seed in seeds(2000, least=100):
        spread = Spread(seed, 0)
        # one sort only: votes and blocks would share the wires
        spread.messages = [(*message[:3], Freight.VOTES) for message in spread.messages]
        assert furthest(spread.arrivals(True)[0], by_a_list(spread)) <= 1e-12


def test_a_bundle_is_no_further_from_single_flows_than_its_bits(record_property: Record) -> None:
    """Against flows of their own for all votes along the same tree, a vote is off by no more than others' bits a hop.

    Wires do the same work either way; only who of several votes on a wire is first differs.
    """
    worst = 0.0
    for seed in seeds(2000, least=100):
        spread = Spread(seed, 0)
        spread.messages = [(*message[:3], Freight.VOTES) for message in spread.messages]
        bundles, flows = spread.arrivals(True)[0], single_flows(spread)
        total_bit = sum(message[2] for message in spread.messages)
        for (number, site), when in bundles.items():
            start, size_bit = spread.messages[number][1:3]
            allowed_s = (total_bit - size_bit) * spread.topology.per_bit_s[start, site]
            off_s = abs(when - flows[number, site])
            assert off_s <= allowed_s + ROUNDING_S
            worst = max(worst, off_s / allowed_s) if allowed_s else worst
    record_property("measured", f"off by {worst:.2f} of the bits of all other votes on each hop at most")
    assert worst > 0.05


def single_flows(spread: Spread) -> Arrivals:
    """Arrivals if each message is a flow of its own on each wire of its tree."""
    clock = Clock()
    wires = Wires(clock, spread.topology)
    multicast = Multicast(clock, wires)
    found: Arrivals = {}

    def cross(number: int, tree: Any, here: int, there: int) -> Any:
        medium, latency_s = wires.wire(here, there)
        yield medium.start(Flow(spread.messages[number][2]))
        yield clock.pause(latency_s)
        if there < spread.sites:
            found[number, there] = clock.now
        onwards(number, tree, there)

    def onwards(number: int, tree: Any, node: int) -> None:
        for other in tree.get(node, ()):
            Life(cross(number, tree, node, other)).begin()

    for number, (time_s, start, *_) in enumerate(spread.messages):
        tree = multicast.tree(start, spread.receivers(start))
        clock.at(time_s, lambda number=number, tree=tree, start=start: onwards(number, tree, start))
    clock.run()
    return found


def test_votes_of_one_moment_leave_together() -> None:
    """Of 100 votes that reach the core of a star at once, the first leaves alone, and the others as one bundle.

    Each takes 1 ms on a wire and 10 ms of latency a hop; nobody gets its own.
    """
    graph = nx.star_graph(range(100, -1, -1))
    nx.set_edge_attributes(graph, 0.01, "latency_s")
    nx.set_edge_attributes(graph, 1e6, "bandwidth_bps")
    clock = Clock()
    multicast = Multicast(clock, Wires(clock, Topology(graph, 100, None)))
    heard: list[float] = []
    for start in range(100):
        ends = tuple(end for end in range(100) if end != start)
        multicast.send(1e3, start, ends, ends, Freight.VOTES, lambda _site: heard.append(clock.now))
    clock.run()
    times, counts = np.unique(np.round(heard, 9), return_counts=True)
    assert dict(zip(times.tolist(), counts.tolist(), strict=True)) == {0.022: 100, 0.12: 9800}


@pytest.mark.parametrize("freight", list(Freight))
def test_an_idle_network_costs_an_event_for_each_instant(freight: Freight) -> None:
    """A message to 199 others over the core of a star is two actions of the clock: one for the core, one for all."""
    graph = nx.star_graph(range(200, -1, -1))
    nx.set_edge_attributes(graph, 0.01, "latency_s")
    nx.set_edge_attributes(graph, 1e9, "bandwidth_bps")
    clock = Clock()
    multicast = Multicast(clock, Wires(clock, Topology(graph, 200, None)))
    ends, heard = tuple(range(1, 200)), []
    multicast.send(2e4, 0, ends, ends, freight, heard.append)
    clock.run()
    assert heard == list(ends)
    assert next(clock.numbers) == 2


def test_what_is_lost_is_carried() -> None:
    """One that does not hear a message still passes it on, and its wire still carries the bits."""
    graph = nx.path_graph(4)
    nx.set_edge_attributes(graph, 0.1, "latency_s")
    nx.set_edge_attributes(graph, 1e6, "bandwidth_bps")
    clock = Clock()
    wires = Wires(clock, Topology(graph, 4, None))
    heard: list[int] = []
    Multicast(clock, wires).send(1e5, 0, (1, 2, 3), frozenset({1, 3}), Freight.VOTES, heard.append)
    clock.run()
    assert heard == [1, 3]
    assert clock.now == pytest.approx(3 * 0.2)
    assert [wires.wire(*hop)[0].done for hop in ((0, 1), (1, 2), (2, 3), (1, 0))] == [1e5, 1e5, 1e5, 0.0]
    assert wires.wire(0, 1)[0].busy_s == pytest.approx(0.1)
