"""The key pools of vehicles."""

import math

import numpy as np
import pytest
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from keynet import World

from cosim.errors import InputError

LINE = {"links": [{"ends": ("s0", "s1")}, {"ends": ("s1", "s2")}]}


def site(**fields: object) -> dict[str, object]:
    return {"kind": "site", "rate_bps": 100.0, "capacity_bit": 250, "low_water_bit": 60, **fields}


def test_a_vehicle_below_its_mark_is_filled_until_it_is_full():
    """250 bits come as 100, 100, 50 out of the site's link; above the mark it asks for nothing, below it again."""
    world = World(topology=LINE, pool={"initial_bit": 10_000}, vehicle=site())
    world.enter(4)
    world.run(5.0)
    fills = world.facts.rows["VehicleKeysFilled"]
    assert [(row["time_s"], row["bit"], row["hops"]) for row in fills] == [(1, 100, 1), (2, 100, 1), (3, 50, 1)]
    assert world.network.pools[0].used_bit == 250
    world.vehicles.draw(4, 190)
    world.run(7.0)
    assert len(fills) == 3
    world.vehicles.draw(4, 1)
    world.run(8.0)
    assert (fills[-1]["time_s"], fills[-1]["bit"]) == (8.0, 100)
    world.check()


def test_vehicles_leave_the_low_water_of_links_alone():
    """From a pool of 150 with low water 90 vehicles get 60 bits, who asked first first, and a transfer the rest."""
    world = World(topology=LINE, pool={"initial_bit": 150, "low_water_bit": 90}, vehicle=site(), block_slots=100)
    world.enter(8)
    world.enter(2)
    world.run(5.0)
    assert [(row["vehicle"], row["bit"]) for row in world.facts.rows["VehicleKeysFilled"]] == [(8, 60)]
    assert world.network.route(0, 1, 90) is not None


def test_the_fullest_link_of_a_site_gives_first():
    """Site 1 has links with 120 and 150 bits: 100 come from the second, then 100 from the first."""
    world = World(topology=LINE, pool={"initial_bit": 120}, vehicle=site(), block_slots=100)
    world.network.pools[1].store(30, 0.0)
    world.enter(0, site=1)
    world.run(1.0)
    assert world.network.stored_bit().tolist() == [120, 50]
    world.run(2.0)
    assert world.network.stored_bit().tolist() == [20, 50]
    world.run(3.0)
    assert world.network.stored_bit().tolist() == [20, 0]
    assert world.vehicles.pool[0].stored_bit == 250


def test_filling_elsewhere_drops_what_was_shared_with_the_old_home():
    """A vehicle with 40 bits of site 0 that is filled at site 2 loses them; without a serving site it is not filled."""
    world = World(topology=LINE, pool={"initial_bit": 10_000}, vehicle=site())
    world.enter(3, bit=40)
    world.at[3] = -1
    world.run(2.0)
    assert world.vehicles.pool[3].stored_bit == 40
    world.at[3] = 2
    world.run(3.0)
    (fill,) = world.facts.rows["VehicleKeysFilled"]
    assert (fill["node"], fill["bit"], fill["dropped_bit"]) == (2, 100, 40)
    assert world.vehicles.pool[3].home == 2
    world.check()


def test_slow_filling_keeps_its_fractions():
    """1.5 bit/s in slots of half a second are 0.75 bits each: 15 bits after 10 s."""
    world = World(topology=LINE, pool={"initial_bit": 1000}, vehicle=site(rate_bps=1.5), slot_s=0.5)
    world.enter(0)
    world.run(10.0)
    assert world.vehicles.pool[0].stored_bit == 15


def test_initial_key_is_shared_with_the_nearest_site():
    """A vehicle that enters near site 1 has its first bits from there, and no link paid for them."""
    world = World(topology=LINE, pool={"initial_bit": 1000}, vehicle=site(initial_bit=9999))
    world.vehicles.enter([5], np.array([[1200.0, 300.0]]))
    assert world.vehicles.pool[5].home == 1
    assert world.vehicles.pool[5].stored_bit == 250
    assert world.facts.rows["VehicleKeysFilled"][0]["hops"] == 0
    assert world.network.stored_bit().tolist() == [1000, 1000]


def test_a_dock_loads_once_and_for_all():
    """A docked vehicle enters full, shares its key with the named site, and is never filled again."""
    world = World(
        topology=LINE, pool={"initial_bit": 1000}, vehicle={"kind": "dock", "capacity_bit": 500, "site": "s2"}
    )
    world.enter(1)
    assert (world.vehicles.pool[1].home, world.vehicles.pool[1].stored_bit) == (2, 500)
    world.vehicles.draw(1, 500)
    life = world.ask(1, 2)
    world.run(5.0)
    assert world.vehicles.pool[1].stored_bit == 0
    assert not life.done
    world.check()


def test_a_dock_at_no_site_is_refused():
    """The message names the field and the sites."""
    with pytest.raises(InputError, match=r"^keys\.vehicle\.site: no site is named x; the sites are s0, s1, s2$"):
        World(vehicle={"kind": "dock", "site": "x"})


def test_free_space_key_is_fresh_and_falls_with_distance():
    """At the site a vehicle gets its whole rate, 2 km away less, and no pool of a link pays."""
    filling = {"kind": "free_space", "rate_bps": 1000.0, "capacity_bit": 10_000, "low_water_bit": 10_000}
    world = World(topology=LINE, pool={"initial_bit": 700}, vehicle=filling, block_slots=100)
    world.enter(0, 1)
    world.place[1] = (2000.0, 0.0)
    world.run(4.0)
    caught = (0.05 / (0.02 + 1e-4 * 2000.0)) ** 2  # of the beam, from radii; all of it at the site
    expected = 4 * 1000.0 * caught * 10 ** (-0.1 * 0.5 * 2.0)
    assert world.vehicles.pool[0].stored_bit == 4000
    assert world.vehicles.pool[1].stored_bit == math.floor(expected)
    assert {row["hops"] for row in world.facts.rows["VehicleKeysFilled"]} == {0}
    assert world.network.stored_bit().tolist() == [700, 700]


def test_key_of_vehicles_expires_and_is_asked_for_anew():
    """Fillings of 100 bits at 1, 2 and 50 at 3 s last 4 s each; what expires is filled again below the mark."""
    world = World(topology=LINE, pool={"initial_bit": 10_000}, vehicle=site(expiry_s=4.0))
    world.enter(0)
    world.run(4.9)
    assert world.vehicles.level_bit(np.array([0, 77])).tolist() == [250, 0]
    world.run(5.0)
    assert world.vehicles.level_bit(np.array([0])).tolist() == [150]
    world.run(6.0)
    assert world.vehicles.pool[0].stored_bit == 50 + 100
    world.check()


def test_what_a_vehicle_had_left_is_lost_when_it_leaves():
    """70 of 100 bits left count as lost in the totals of all vehicles."""
    world = World(topology=LINE, vehicle=site(initial_bit=100))
    world.enter(0)
    world.vehicles.draw(0, 30)
    world.service.leave([0])
    world.check()
    total = world.facts.rows["VehicleKeysSampled"][-1]
    assert [total[name] for name in ("stored_bit", "filled_bit", "used_bit", "lost_bit", "filling")] == [
        0,
        100,
        30,
        70,
        0,
    ]


step = st.tuples(
    st.sampled_from(["enter", "leave", "move", "ask", "pair", "run"]), st.integers(0, 5), st.integers(0, 2)
)


@drawn(60)
@given(
    st.lists(step, min_size=5, max_size=60),
    st.sampled_from(["site", "free_space", "dock"]),
    st.sampled_from(["otp", "aes256_rekey"]),
    st.sampled_from([None, 2.5]),
    st.booleans(),
)
def test_bits_are_conserved_over_random_workloads(steps, filling, use, expiry_s, attacked):
    """Fills, draws, relays, departures and attacks: every bit of links and vehicles is used, lost or stored."""
    spy = {"kind": "eavesdropper", "ends": ("s0", "s1"), "start_s": 2.0, "end_s": 6.0}
    broken = {"kind": "cut", "ends": ("s1", "s2"), "start_s": 3.3, "end_s": 7.7}
    world = World(
        sites=[(0, 0), (1000, 0), (500, 800)],
        pool={"capacity_bit": 4000, "initial_bit": 1000, "low_water_bit": 200, "expiry_s": expiry_s},
        vehicle={"kind": filling, "capacity_bit": 900, "expiry_s": expiry_s},
        use={"kind": use},
        shortage={"patience_s": 2.0},
        block_slots=2,
        attacks=[spy, broken] if attacked else [],
    )
    here, number = [0, 1, 2], 3
    world.enter(*here)
    world.run(1.0)
    for name, who, where in steps:
        vehicle = here[who % len(here)] if here else None
        if name == "enter":
            world.enter(number, site=where)
            here.append(number)
            number += 1
        elif name == "run":
            world.run(world.clock.now + 0.7)
        elif vehicle is None:
            continue
        elif name == "leave":
            here.remove(vehicle)
            world.service.leave([vehicle])
        elif name == "move":
            world.at[vehicle] = where
        elif name == "ask":
            world.ask(vehicle, where, size_bit=100.0 * (who + 1))
        elif len(here) > 1:
            helper = here[(who + 1) % len(here)]
            world.ask(vehicle, helper=helper, size_bit=50.0)
    world.check()
    world.run(world.clock.now + 5.0)
    assert not world.service._queue.waiting
    world.check()
