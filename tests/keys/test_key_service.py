"""The key service that transfers ask."""

import os
import subprocess
import sys
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from keynet import NOBODY, Story, World

from cosim.keys.request_queue import GrantedKey
from cosim.keys.service import KeyUnavailable
from cosim.radio.sidelink import HelperLost
from cosim.types import NOWHERE, VehicleGone

LINE = {"links": [{"ends": ("s0", "s1")}, {"ends": ("s1", "s2")}]}
RICH = {"capacity_bit": 10**6, "initial_bit": 10**6}


def world(**plan: object) -> World:
    """One-time pads; vehicles of 1000 bits that get 100 bit/s below 10 bits; links with plenty and no new key."""
    vehicle = {"kind": "site", "rate_bps": 100.0, "capacity_bit": 1000, "low_water_bit": 10}
    fixed = {"topology": LINE, "pool": RICH, "vehicle": vehicle, "use": {"kind": "otp"}, "block_slots": 1000}
    return World(**{**fixed, **plan})


def outcome(life: Story) -> tuple[bool, type | None]:
    return life.done, None if life.failure is None else type(life.failure)


# --- what a key costs ------------------------------------------------------------------------------------------------


def test_a_key_that_is_there_is_given_at_once():
    """100.5 bits of data two hops away cost 101 bits of the vehicle and of both links, and no time."""
    net = world()
    net.enter(0, bit=500)
    life = net.ask(0, 2, 100.5)
    assert life.request is not None
    assert life.request == GrantedKey(0.0, 0.0, 101, 2)
    assert net.vehicles.pool[0].stored_bit == 399
    assert [pool.used_bit for pool in net.network.pools] == [101, 101]
    net.check()


def test_at_home_no_link_pays():
    """The site that filled the vehicle shares its key already; so does the one of a vehicle without coverage."""
    net = world()
    net.enter(0, site=1, bit=500)
    assert net.ask(0, 1).request.hops == 0
    assert net.ask(0, NOWHERE).request.hops == 0
    assert [pool.used_bit for pool in net.network.pools] == [0, 0]


def test_two_vehicles_both_pay_and_every_hop_between_their_homes():
    """40 bits between vehicles of sites 0 and 2 cost 40 bits in both vehicles and on two links."""
    net = world()
    net.enter(0, bit=100)
    net.enter(1, site=2, bit=100)
    assert net.ask(0, helper=1, size_bit=40.0).request.hops == 2
    assert [net.vehicles.pool[vehicle].stored_bit for vehicle in (0, 1)] == [60, 60]
    assert [pool.used_bit for pool in net.network.pools] == [40, 40]


def test_all_or_nothing_over_vehicle_helper_and_hops():
    """If the helper, or a link, has too little, nobody has paid."""
    net = world(pool={"capacity_bit": 1000, "initial_bit": 50})
    net.enter(0, bit=500)
    net.enter(1, site=2, bit=30)
    for life in (net.ask(0, helper=1, size_bit=40.0), net.ask(0, 2, 60.0)):
        assert not life.done
    assert [net.vehicles.pool[vehicle].used_bit for vehicle in (0, 1)] == [0, 0]
    assert [pool.used_bit for pool in net.network.pools] == [0, 0]


def test_without_use_nobody_asks():
    """Under `none` no transfer needs a key, even without any."""
    net = world(use={"kind": "none"})
    net.enter(0)
    assert net.service.request(0, 2, 1e9, 0.0, 0.0) is None


# --- sessions --------------------------------------------------------------------------------------------------------


def test_a_session_carries_its_bytes():
    """A key for 100 byte carries 300 + 500 bits; one bit more takes the next 256 bits."""
    net = world(use={"kind": "aes256_rekey", "lifetime_byte": 100.0})
    net.enter(0, bit=1000)
    assert net.ask(0, 1, 300.0).request.bit == 256
    assert net.ask(0, 1, 500.0).request is None
    assert net.ask(0, 1, 1.0).request.bit == 256
    assert net.ask(0, 2, 1.0).request.bit == 256  # another site, another key


def test_a_transfer_beyond_the_life_of_a_key_takes_several():
    """2000 bits under keys for 800 bits each cost three keys, and 400 bits are left of the third."""
    net = world(use={"kind": "aes256_rekey", "lifetime_byte": 100.0})
    net.enter(0, bit=1000)
    assert net.ask(0, 1, 2000.0).request.bit == 768
    assert net.ask(0, 1, 400.0).request is None


def test_a_session_lasts_its_seconds():
    """A key of 5 s is good at 4.9 s and no more at 5 s."""
    net = world(use={"kind": "aes256_rekey", "lifetime_s": 5.0})
    net.enter(0, bit=1000)
    net.ask(0, 1)
    net.run(4.9)
    assert net.ask(0, 1).request is None
    net.run(5.0)
    assert net.ask(0, 1).request.bit == 256


def test_nothing_needs_no_key():
    """A one-time pad for a result without bits costs nothing, and asks for nothing."""
    net = world(use={"kind": "otp"})
    net.enter(0, bit=1000)
    assert net.ask(0, 1, 0.0).request is None
    assert net.ask(0, 1, 0.5).request.bit == 1


def test_a_pair_has_one_session_for_both_ways():
    """The way back, and the helper's own tasks to the vehicle, go under the same key."""
    net = world(use={"kind": "aes256_rekey"})
    net.enter(0, 1, bit=1000)
    assert net.ask(0, helper=1).request.bit == 256
    assert net.ask(1, helper=0).request is None


def test_those_that_waited_for_one_key_share_it():
    """Three transfers of a vehicle wait for the key of one session: it is drawn once."""
    net = world(use={"kind": "aes256_rekey"})
    net.enter(0)
    lives = [net.ask(0, 1) for _ in range(3)]
    net.run(3.0)
    assert [life.over_s for life in lives] == [3.0, 3.0, 3.0]
    assert [life.request.bit for life in lives] == [256, 0, 0]
    assert net.vehicles.pool[0].used_bit == 256


# --- waiting ---------------------------------------------------------------------------------------------------------


def test_a_transfer_waits_until_the_vehicle_has_been_filled():
    """250 bits for an empty vehicle that gets 100 bits in a slot come at 3 s, above its mark though it is."""
    net = world()
    net.enter(0, bit=20)
    life = net.ask(0, 1, 250.0)
    net.run(2.9)
    assert outcome(life) == (False, None)
    net.run(3.0)
    assert outcome(life) == (True, None)
    assert (life.request.asked_s, life.request.keyed_s, life.request.ready) == (0.0, 3.0, False)


def test_first_come_is_first_served_at_a_short_pool():
    """A later small request does not overtake a large one at the same vehicle, whatever its priority; another does."""
    net = world()
    net.enter(0, 1, bit=90)
    large, small = net.ask(0, 1, 190.0), net.ask(0, 1, 50.0, priority=9.0)
    other = net.ask(1, 1, 50.0)
    assert [life.done for life in (large, small, other)] == [False, False, True]
    net.run(1.0)
    assert [life.done for life in (large, small)] == [True, False]
    net.run(2.0)
    assert small.over_s == 2.0


def test_priority_goes_first_where_the_scenario_says_so():
    """Of two that wait the later one of higher priority is served first, and one that comes may go before them."""
    net = world(shortage={"order": "priority"})
    net.enter(0, bit=90)
    low, high = net.ask(0, 1, 150.0, priority=1.0), net.ask(0, 1, 150.0, priority=2.0)
    urgent, idle = net.ask(0, 1, 40.0, priority=3.0), net.ask(0, 1, 40.0, priority=0.0)
    assert [life.done for life in (low, high, urgent, idle)] == [False, False, True, False]
    net.run(9.0)
    assert [life.over_s for life in (high, low, idle)] == [1.0, 3.0, 3.0]


def test_a_line_at_a_link_holds_back_those_that_need_that_link_only():
    """Who waits for 200 bits of link 0 is not overtaken there by 50 bits; link 1 is free."""
    ring = World(
        sites=[(0, 0), (1000, 0), (500, 800)],
        pool={"capacity_bit": 1000, "initial_bit": 100},
        vehicle={"kind": "dock", "capacity_bit": 1000},
        use={"kind": "otp"},
        block_slots=1000,
    )
    ring.enter(0, 1)
    assert not ring.ask(0, 1, 200.0).done
    assert ring.ask(1, 2, 50.0).request.hops == 1
    assert not ring.ask(1, 1, 50.0).done
    assert ring.network.pools[0].used_bit == 0


def test_a_line_is_closed_up_when_somebody_gives_up():
    """When the large request in front has lost patience, the small one behind it is served at the next slot."""
    net = world(shortage={"patience_s": 1.5})
    net.enter(0, bit=90)
    net.at[0] = NOWHERE
    large = net.ask(0, 1, 500.0)
    net.run(1.0)
    small = net.ask(0, 1, 50.0)
    net.run(1.6)
    assert outcome(large) == (True, KeyUnavailable)
    assert net.ask(0, 1, 10.0).done is False  # behind the small one, which still stands in line
    net.run(2.0)
    assert outcome(small) == (True, None)


def test_patience_and_deadline_end_a_wait():
    """A wait ends at the earlier of both; a slot at that instant comes first."""
    net = world(shortage={"patience_s": 3.0})
    net.enter(0, 1, 2)
    lives = [net.ask(0, 1, 301.0), net.ask(1, 1, 300.0), net.ask(2, 1, 300.0, by_s=2.5)]
    net.run(5.0)
    assert [outcome(life) for life in lives] == [(True, KeyUnavailable), (True, None), (True, KeyUnavailable)]
    assert [life.over_s for life in lives] == [3.0, 3.0, 2.5]
    assert isnan(lives[0].request.keyed_s)


def test_downgraded_transfers_go_on_without_a_key():
    """After its patience a transfer goes on with no bits taken; without time to wait it does so at once."""
    net = world(shortage={"patience_s": 0.5, "then": "downgrade"})
    net.enter(0)
    life = net.ask(0, 1)
    net.run(0.5)
    assert (life.done, life.failure, life.request.bit) == (True, None, 0)
    assert isnan(life.request.keyed_s)
    late = net.ask(0, 1, by_s=0.2)
    assert (late.request.ready, late.request.bit) == (True, 0)


def test_what_can_never_come_is_a_shortage_at_once():
    """More bits than a vehicle can hold, or a deadline that is over, end a transfer at the instant it asks."""
    net = world()
    net.enter(0, bit=5)
    net.run(0.25)
    lives = [net.ask(0, 1, 1001.0), net.ask(0, 1, 50.0, by_s=0.1)]
    net.run(0.25)
    assert [outcome(life) for life in lives] == [(True, KeyUnavailable)] * 2
    assert [life.over_s for life in lives] == [0.25, 0.25]


def test_a_key_that_is_there_is_given_after_the_deadline_too():
    """Only waiting ends by the deadline; late tasks go on."""
    net = world()
    net.enter(0, bit=500)
    net.run(2.0)
    assert isinstance(net.ask(0, 1, by_s=1.0).request, GrantedKey)


def test_waits_of_vehicles_that_leave_end_in_order():
    """Its own requests end as gone, those of a vehicle that it would have helped as helper lost; others go on."""
    net = world()
    net.enter(0, 1, 2)
    lives = [net.ask(1, helper=0), net.ask(0, 1), net.ask(2, 1), net.ask(0, helper=1)]
    net.service.leave([0])
    assert [outcome(life) for life in lives] == [
        (True, HelperLost),
        (True, VehicleGone),
        (False, None),
        (True, VehicleGone),
    ]
    assert net.ended == [lives[0], lives[1], lives[3]]
    with pytest.raises(VehicleGone):
        net.service.request(0, 1, 10.0, 0.0, 99.0)
    with pytest.raises(HelperLost):
        net.service.request_pair(2, 0, 10.0, 0.0, 99.0)
    net.run(1.0)
    assert lives[2].done
    net.check()


def test_a_cancelled_wait_leaves_the_queue():
    """A story that is cancelled from outside takes no key afterwards."""
    net = world()
    net.enter(0)
    life = net.ask(0, 1)
    life.cancel(VehicleGone())
    net.run(3.0)
    assert outcome(life) == (True, VehicleGone)
    assert net.vehicles.pool[0].used_bit == 0


def test_samples_and_view_say_what_is_there():
    """Two that wait and one that is filling are counted; a view has the levels of links and of vehicles."""
    net = world()
    net.enter(0, bit=3)
    net.ask(0, 1)
    net.ask(0, 2)
    net.service.sample(NOBODY)
    sampled = net.facts.rows["VehicleKeysSampled"][-1]
    assert (sampled["waiting"], sampled["filling"], sampled["stored_bit"]) == (2, 1, 3)
    view = net.service.view(np.array([0, 5]))
    assert view.stored_bit.tolist() == [10**6, 10**6]
    assert view.detector.tolist() == [0.9, 0.9]


def platoon() -> list[object]:
    """Twelve vehicles drain two links, wait, and some give up; what happened to each, and all facts of filling."""
    attack = {"kind": "eavesdropper", "ends": ("s0", "s1"), "start_s": 3.0, "end_s": 6.0}
    net = World(
        topology=LINE,
        pool={"initial_bit": 3000},
        vehicle={"kind": "site", "rate_bps": 300.0, "capacity_bit": 2000},
        use={"kind": "otp"},
        shortage={"order": "priority", "patience_s": 4.0},
        attacks=[attack],
    )
    net.enter(*range(12))
    lives = []
    for turn in range(8):
        lives += [net.ask(vehicle, turn % 3, 150.0 + 10 * vehicle, priority=vehicle % 4) for vehicle in range(12)]
        net.run(turn + 1.0)
    net.check()
    return [[(str(outcome(life)), life.over_s) for life in lives], dict(net.facts.rows)]


@pytest.mark.long
def test_a_process_with_other_hashes_tells_the_same():
    """A platoon that drains its links gives the same outcomes and facts under two values of PYTHONHASHSEED."""
    told = [
        subprocess.run(
            [sys.executable, "-c", "import test_key_service as t; print(t.platoon())"],
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "77")
    ]
    assert told[0] == told[1]
    assert "KeyUnavailable" in told[0]
    assert "(True, None)" in told[0]
