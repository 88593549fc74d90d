"""Time-outs that fit the network: by hand, against messages that are really sent, and in runs over slow wires."""

from collections.abc import Callable
from typing import Any, TypeAlias

import networkx as nx
import pytest
from effort import rest_long, seeds
from secured import LEDGER
from stories import NEAR_A, merged, sites, tell

from cosim.compute import QueueHost
from cosim.kernel.clock import Clock, Life
from cosim.kernel.rng import stream
from cosim.ledger.messages import RoundStep, Vote
from cosim.ledger.participant import StepTimeouts
from cosim.ledger.run.fitting import fitted_timeouts, longest_way_s
from cosim.ledger.run.multicast import Freight, Multicast
from cosim.ledger.signature import FIGURES
from cosim.scenario.ledger import Ledger
from cosim.topology import Topology
from cosim.transport import Wires

Record: TypeAlias = Callable[[str, object], None]
BIT = FIGURES["ed25519"].size_bit


def star(count: int, latency_s: float, bandwidth_bps: float) -> Topology:
    """So many sites round a core switch."""
    graph = nx.star_graph(range(count, -1, -1))
    nx.set_edge_attributes(graph, latency_s, "latency_s")
    nx.set_edge_attributes(graph, bandwidth_bps, "bandwidth_bps")
    return Topology(graph, count, None)


def fitted(topology: Topology, **ledger: Any) -> StepTimeouts:
    """The time-outs of a scenario's ledger with the sites as validators, at hosts of 1 GHz."""
    clock = Clock()
    hosts = {site: QueueHost(clock, 1e9, 1, 1e-27) for site in range(topology.sites)}
    return fitted_timeouts(Ledger.model_validate(ledger), Wires(clock, topology), hosts)


def test_small_networks_keep_a_second_and_a_half():
    """Four sites at 100 Mbit/s and 2 ms a hop, as those of `qib_vec`: 1 s for a proposal and 0.5 s for a vote."""
    assert fitted(star(4, 0.002, 1e8)) == StepTimeouts(1.0, 0.5, 0.5, 0.5)


def test_what_is_given_holds():
    """Given time-outs are used whatever the network; one that is left out is derived beside one that is given."""
    slow = star(4, 1.0, 1e6)
    given = {"propose_s": 0.25, "vote_s": 0.125, "growth_s": 0.75}
    assert fitted(slow, timeouts=given) == StepTimeouts(0.25, 0.125, 0.125, 0.75)
    half = fitted(slow, timeouts={"vote_s": 0.125})
    assert half.prevote_s == 0.125
    assert half.propose_s == fitted(slow).propose_s > 16.0


@pytest.mark.parametrize(("way", "seats"), [("direct", None), ("tree", None), ("direct", 2), ("tree", 2)])
def test_by_hand(way: str, seats: int | None):
    """Five sites round a core, 0.5 s and 1 Mbit/s a hop: a full block of 512 byte with its votes crosses two wires.

    On the sender's wire there are 4 copies if each goes on its own, else one.
    """
    n = seats or 5
    block_bit = 8 * (512 + 2 * n) + (1 + n) * BIT
    proposal_bit = block_bit + 424 + BIT + n * (32 + BIT)
    copies = 3 if way == "direct" else 0
    largest_s = 1.0 + proposal_bit * (2 + copies) / 1e6
    # On a wire to a site there is a vote of each with a seat; on one from a site a copy for each, of the site alone.
    votes_s = 1.0 + (392 + BIT) * ((4 if way == "direct" else 1) + min(n, 4)) / 1e6
    verify_s = (1024 / 2048 + 8) * FIGURES["ed25519"].verify_cycles / 1e9
    way_s = max(largest_s, votes_s) + verify_s
    options = {"signature": "ed25519", "block": {"capacity_byte": 512}, "dissemination": way, "committee": seats}
    found = fitted(star(5, 0.5, 1e6), **options)
    assert found.prevote_s == found.precommit_s == pytest.approx(4 * way_s)
    assert found.propose_s == pytest.approx(8 * way_s + 737.5 * block_bit / 1e9)


@pytest.mark.parametrize("way", ["direct", "tree"])
def test_messages_that_are_sent_take_no_longer(way: str, record_property: Record):
    """All votes of one moment, and a full block on its own, arrive within the derived way; the slowest nearly needs it.

    1,000 drawn networks of 2 to 9 sites.
    """
    worst = 0.0
    for seed in seeds(1000, least=60):
        rng = stream(seed, "test.fitting")
        count = int(rng.integers(2, 10))
        graph = nx.star_graph(range(count, -1, -1)) if rng.random() < 0.4 else nx.random_labeled_tree(count, seed=seed)
        for _, _, wire in graph.edges(data=True):
            wire |= {"latency_s": float(rng.uniform(0.0, 0.02)), "bandwidth_bps": float(rng.uniform(1e5, 1e6))}
        topology = Topology(graph, count, None)
        plan = Ledger.model_validate({"signature": "ed25519", "dissemination": way})
        block_bit = float(rng.choice([0.0, 2e4]))
        allowed_s = longest_way_s(plan, Wires(Clock(), topology), tuple(range(count)), block_bit)
        vote_bit = float(Vote(RoundStep.PREVOTE, 0, 0, None, 0).size_bit(BIT))
        largest_bit = block_bit + 424 + BIT + count * (32 + BIT)
        sent = [slowest_s(topology, way, range(count), vote_bit)]
        sent += [slowest_s(topology, way, (start,), largest_bit) for start in range(count)]
        assert max(sent) <= allowed_s * (1 + 1e-9), (seed, sent, allowed_s)
        worst = max(worst, max(sent) / allowed_s)
    record_property("measured", f"the slowest message took {worst:.3f} of the derived way")
    assert worst > 0.9


def slowest_s(topology: Topology, way: str, starts: Any, size_bit: float) -> float:
    """When the last of the messages that these sites send to all others at 0 s has arrived."""
    clock = Clock()
    wires = Wires(clock, topology)
    multicast = Multicast(clock, wires)
    for start in starts:
        ends = tuple(end for end in range(topology.sites) if end != start)
        if way == "tree":
            multicast.send(size_bit, start, ends, ends, Freight.VOTES, lambda _site: None)
        else:
            for end in ends:
                Life(wires.carry(size_bit, start, end)).begin()
    clock.run()
    return clock.now


@pytest.mark.parametrize("way", rest_long(["tree", "direct"]))
def test_a_long_row_of_sites_decides_in_its_first_round(tmp_path, way: str):
    """Eight sites in a row, 0.4 s a hop: blocks are final in round 0 by default, and not with 1 s and 0.5 s."""
    row = {"kind": "mesh", "neighbours": 1, "bandwidth_bps": 1e15, "latency_s": 0.4}
    rounds = {}
    for name, waits in (("derived", {"propose_s": None, "vote_s": None}), ("given", {})):
        (tmp_path / name).mkdir()
        story = tell(
            tmp_path / name,
            {"a": [NEAR_A] * 30},
            (),
            "A",
            ledger=merged(LEDGER, {"dissemination": way, "timeouts": waits, "block": {"interval_s": 10.0}}),
            sites=sites(**{letter: 1000.0 * place for place, letter in enumerate("ABCDEFGH")}),
            backhaul=row,
            duration_s=29.0,
        )
        rounds[name] = [fact.split()[2].partition(".")[2] for fact in story.of("BlockProposed")]
    assert set(rounds["derived"]) == {"0"}
    assert len(rounds["derived"]) == 2
    assert set(rounds["given"]) > {"0"}


@pytest.mark.parametrize(("seats", "heard"), [(None, 19), (12, 12)])
def test_votes_that_meet_on_a_slow_wire_count_together(seats: int | None, heard: int):
    """Behind one wire of 100 kbit/s a site hears as many votes as there are seats for others, one after the other."""
    topology = star(20, 0.0, 1e12)
    topology.graph.edges[0, 20]["bandwidth_bps"] = 1e5
    plan = Ledger.model_validate({"signature": "ed25519", "dissemination": "tree", "committee": seats})
    vote_bit = float(Vote(RoundStep.PREVOTE, 0, 0, None, 0).size_bit(BIT))
    way_s = longest_way_s(plan, Wires(Clock(), topology), tuple(range(20)), 0.0)
    assert way_s == pytest.approx(heard * vote_bit / 1e5, rel=1e-4)
    assert slowest_s(topology, "tree", range(1, 1 + heard), vote_bit) == pytest.approx(way_s, rel=1e-4)
