"""The QKD network in simulated time."""

import math

import numpy as np
import pytest
from keynet import World

from cosim.scenario.key_rates import QibVecRate
from cosim.types import LinkState

LINE = {"links": [{"ends": ("s0", "s1")}, {"ends": ("s1", "s2")}]}
OTP = {"kind": "otp"}


def cut(start_s: float, end_s: float, ends: tuple[str, str] = ("s0", "s1")) -> dict[str, object]:
    return {"kind": "cut", "ends": ends, "start_s": start_s, "end_s": end_s}


def test_links_make_their_rate_and_not_a_bit_more():
    """After 50 slots a link has floor(50 slots of its rate) bits: fractions are carried, never rounded up."""
    world = World(rate=QibVecRate(kind="qib_vec", pair_rate_per_s=50.0), topology=LINE)
    world.run(50.0)
    rates = world.network.key_bps.tolist()
    assert 0 < rates[0] < 10
    assert world.network.stored_bit().tolist() == [math.floor(50 * rate + 1e-9) for rate in rates]
    world.check()


def test_key_comes_at_the_end_of_a_block():
    """With blocks of 4 slots nothing is there after 3.9 s, and 4 slots of key after 4 s."""
    world = World(topology=LINE, block_slots=4)
    world.run(3.9)
    assert world.network.stored_bit().tolist() == [0, 0]
    world.run(4.0)
    assert world.network.stored_bit().tolist() == [math.floor(4 * rate) for rate in world.steady_bps()]


def test_nodes_and_links_are_stated_at_the_start():
    """Sites come first with their own numbers; a link states its length, capacity and first filling."""
    world = World(topology=LINE, pool={"capacity_bit": 900, "initial_bit": 70})
    assert [row["name"] for row in world.facts.rows["KeyNodeDeployed"]] == ["s0", "s1", "s2"]
    assert list(world.facts.rows["KeyLinkDeployed"][1].values()) == [0.0, 1, 1, 2, 1.3, 900, 70]
    world.check()


def test_a_relay_takes_its_bits_on_every_hop_or_nowhere():
    """Two hops pay 60 bits each; when the second has 40 left nothing is taken from the first."""
    world = World(topology=LINE, pool={"initial_bit": 100})
    route = world.network.route(0, 2, 60)
    assert route is not None
    assert route.links == (0, 1)
    world.network.pools[0].store(100, 0.0)
    assert world.network.take(route, 60)
    assert world.network.stored_bit().tolist() == [140, 40]
    assert not world.network.take(route, 60)
    assert world.network.route(0, 2, 60) is None
    assert world.network.stored_bit().tolist() == [140, 40]


def test_a_short_pool_is_gone_around():
    """In a ring of three the direct link is used until it is short, then the way around, and then none is left."""
    world = World(sites=[(0, 0), (1000, 0), (500, 800)], pool={"initial_bit": 100})
    taken = []
    while (route := world.network.route(0, 1, 40)) is not None:
        world.network.take(route, 40)
        taken.append(route.hops)
    assert taken == [1, 1, 2, 2]


def test_a_cut_reroutes_keys_and_starves_its_link():
    """While its fibre is cut a link makes nothing and others are preferred; what it had stored is the last resort."""
    world = World(sites=[(0, 0), (1000, 0), (500, 800)], pool={"initial_bit": 100}, attacks=[cut(10.5, 20.0)])
    world.run(10.0)
    before = world.network.stored_bit().tolist()
    assert world.network.route(0, 1, 40).links == (0,)
    world.run(19.0)
    assert world.network.state == [LinkState.CUT, LinkState.UP, LinkState.UP]
    after = world.network.stored_bit().tolist()
    assert after[0] == before[0]
    assert after[1] > before[1]
    assert world.network.key_bps[0] == 0.0
    assert world.network.route(0, 1, 40).links == (1, 2)
    world.network.pools[1].drop()
    assert world.network.route(0, 1, 40).links == (0,)
    world.run(21.0)
    assert world.network.route(0, 1, 40).links == (0,)
    assert [(r["time_s"], r["state"]) for r in world.facts.rows["KeyLinkChanged"]] == [(10.5, 2), (20.0, 0)]
    world.check()


def test_the_block_in_the_making_is_lost_by_a_cut():
    """A cut after 3 of 4 slots loses 3 slots of key; a cut at the instant of the block's end comes after it."""
    world = World(topology=LINE, block_slots=4, attacks=[cut(3.5, 4.5), cut(4.0, 5.0, ("s1", "s2"))])
    bps = world.steady_bps()
    world.run(7.0)
    pools = world.network.pools
    assert (pools[0].stored_bit, pools[0].lost_bit) == (0, math.floor(3 * bps[0]))
    assert (pools[1].stored_bit, pools[1].lost_bit) == (math.floor(4 * bps[1]), 0)
    world.check()
    world.run(8.0)
    assert pools[0].stored_bit == math.floor(3.5 * bps[0])
    world.check()


def test_an_eavesdropper_aborts_the_link_and_the_block_is_thrown_away():
    """From 2 s to 3 s all pulses are intercepted: the third block is lost, the link pauses 5 s and comes back."""
    attack = {"kind": "eavesdropper", "ends": ("s0", "s1"), "start_s": 2.0, "end_s": 3.0}
    world = World(topology=LINE, attacks=[attack], abort_pause_s=5.0)
    world.run(3.0)
    assert world.network.qber[0] > 0.25
    world.run(12.0)
    blocks = [row for row in world.facts.rows["KeyBlockDistilled"] if row["link"] == 0]
    assert [row["time_s"] for row in blocks] == [1, 2, 3, 9, 10, 11, 12]
    assert [row["stored_bit"] > 0 for row in blocks] == [True, True, False, True, True, True, True]
    assert [(r["time_s"], r["state"]) for r in world.facts.rows["KeyLinkChanged"]] == [(3.0, 1), (8.0, 0)]
    world.check()


def test_a_faint_eavesdropper_only_costs_rate():
    """A tenth of the pulses raises QBER and lowers the rate, below the threshold: no abort."""
    attack = {"kind": "eavesdropper", "ends": ("s0", "s1"), "start_s": 0.0, "end_s": 9.0, "share": 0.1}
    world = World(topology=LINE, attacks=[attack])
    world.run(1.0)
    assert world.network.qber[0] > world.network.qber[1] + 0.01
    assert 0 < world.network.key_bps[0] < world.network.key_bps[1]
    assert world.network.state == [LinkState.UP, LinkState.UP]


def test_a_cut_during_a_pause_is_told_as_a_cut_and_both_end():
    """Aborted at 3 s for 5 s and cut from 4 s to 6 s: cut, aborted again until 8 s, then up."""
    spy = {"kind": "eavesdropper", "ends": ("s0", "s1"), "start_s": 2.0, "end_s": 3.0}
    world = World(topology=LINE, attacks=[spy, cut(4.0, 6.0)], abort_pause_s=5.0)
    world.run(9.0)
    changes = [(row["time_s"], row["state"]) for row in world.facts.rows["KeyLinkChanged"]]
    assert changes == [(3.0, 1), (4.0, 2), (6.0, 1), (8.0, 0)]


def test_key_of_links_expires_and_overflows():
    """A pool of 1000 bits loses what is too much, and all of it once generation has stopped for the age of expiry."""
    world = World(topology=LINE, pool={"capacity_bit": 1000, "expiry_s": 3.0}, attacks=[cut(5.5, 99.0)])
    world.run(5.0)
    assert world.network.stored_bit()[0] == 1000
    world.check()
    world.run(9.0)
    assert world.network.stored_bit().tolist() == [0, 1000]
    world.check()


def test_the_detectors_are_a_knob_kept_in_bounds():
    """Efficiencies are kept in (0, 1], what is no number changes nothing, and a smaller one makes a smaller rate."""
    world = World(topology=LINE)
    world.network.set_detector(np.array([-1.0, 7.0]))
    world.network.set_detector(np.array([np.nan, 0.5]))
    assert world.network.detector.tolist() == [1e-6, 0.5]
    world.run(1.0)
    assert world.network.key_bps[0] < 0.01
    assert 1.0 < world.network.key_bps[1] < world.steady_bps()[1]


@pytest.mark.parametrize("kind", ["decoy_bb84", "bbm92", "finite_key"])
def test_every_kind_of_rate_fills_pools(kind):
    """The physical models too make at most rate times time."""
    world = World(topology=LINE, rate={"kind": kind}, pool={"capacity_bit": 2**50})
    world.run(2.0)
    assert world.network.stored_bit().tolist() == [math.floor(2 * bps) for bps in world.network.key_bps.tolist()]
    assert world.network.stored_bit().min() > 0
