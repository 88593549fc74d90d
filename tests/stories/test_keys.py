"""Transfers take keys from the pools of links and wait for them: a platoon, priorities, cuts, eavesdroppers, ends.

A link makes one key of 256 bit in each second, released at whole seconds. Vehicles have loaded plenty at the dock of B,
so a task for A costs a key of the link A-B. The usual task here sends 0.25 Mbit in 0.25 s, works 1 s and gets
0.5 Mbit back in 0.5 s, under the same key.
"""

import pytest
from secured import KEY, KEYS, RATE
from stories import NEAR_A, merged, sites, tell

from cosim.cli import main as cli
from cosim.trace.lateness.ranking import lateness
from cosim.trace.store.reader import Trace

NEAR = [NEAR_A] * 13
SMALL = {"input_bit": 2.5e5}
CORES = {"edge": {"cores": 4}}
LINK = {"topology": {"links": [{"ends": ["A", "B"]}]}, "vehicle": {"site": "B"}}
PLATOON = dict.fromkeys("abc", NEAR)
ARRIVALS = [(0.25, "a", SMALL), (0.5, "b", SMALL), (0.75, "c", {**SMALL, "deadline_s": 2.5})]


def keys(**changes):
    """The usual keys, with A and B joined, and changes."""
    return merged(merged(KEYS, LINK), changes)


def platoon(folder, **shortage):
    """Three vehicles in a row want keys of a pool that holds one."""
    plan = keys(pool={"initial_bit": KEY}, shortage=shortage)
    return tell(folder, PLATOON, ARRIVALS, keys=plan, compute=CORES)


def said(capsys, *arguments):
    """What `cosim trace` prints."""
    capsys.readouterr()
    assert cli.status(["trace", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def causes(story):
    """Late and lost tasks, and how many by each cause."""
    with Trace.open(story.run) as trace:
        ranked = lateness(trace)
    return ranked.late, ranked.lost, {one.cause: one.tasks for one in ranked.causes if one.tasks}


def test_a_platoon_drains_a_pool_and_waits(tmp_path, capsys):
    """The first takes the only key, the second that of the next slot, the third that of the one after, and is late."""
    story = platoon(tmp_path)
    assert story.about(0)[:3] == ["0.25 up_asked 0", "0.25 up_keyed 0 256 bit over 1 hops", "0.25 uplink 0"]
    assert story.about(1)[:3] == ["0.5 up_asked 1", "1 up_keyed 1 256 bit over 1 hops", "1 uplink 1"]
    assert story.about(2) == [
        "0.75 up_asked 2",
        "2 up_keyed 2 256 bit over 1 hops",
        "2 uplink 2",
        "2.25 uplinked 2 A",
        "2.25 queued 2",
        "2.25 started 2",
        "3.25 executed 2",
        "3.25 downlink 2",
        "3.75 TaskEnded 2 LATE through A",
    ]
    assert story.of("TaskKeyed") == ["2 TaskKeyed 0 DRAWN", "2.75 TaskKeyed 1 DRAWN", "3.75 TaskKeyed 2 DRAWN"]
    assert causes(story) == (1, 0, {"key": 1})
    told = said(capsys, "task", story.run, 2)
    assert "asks for a key for its uplink" in told
    assert "draws 256 bit of key over 1 link for its uplink" in told
    assert "reason: key: it waited for quantum keys" in told
    assert "key" in said(capsys, "late", story.run)


def test_the_third_gives_up(tmp_path, capsys):
    """With patience for one second the third ends NO_KEY then, and the key of the next slot stays for others."""
    story = platoon(tmp_path, patience_s=1.0)
    assert story.about(2) == ["0.75 up_asked 2", "1.75 TaskEnded 2 NO_KEY in KEY"]
    assert story.of("TaskKeyed")[0] == "1.75 TaskKeyed 2 REFUSED"
    assert causes(story) == (0, 1, {"key": 1})
    told = said(capsys, "task", story.run, 2)
    assert "refused: the key that it waits for has not come" in told
    assert "ends NO_KEY in phase KEY" in told


def test_the_third_goes_without(tmp_path, capsys):
    """Where transfers may be downgraded, its patience ends with a transfer without a quantum key, both ways."""
    story = platoon(tmp_path, patience_s=1.0, then="downgrade")
    assert story.about(2) == [
        "0.75 up_asked 2",
        "1.75 uplink 2",
        "2 uplinked 2 A",
        "2 queued 2",
        "2 started 2",
        "3 executed 2",
        "3 down_asked 2",
        "3 down_keyed 2 256 bit over 1 hops",
        "3 downlink 2",
        "3.5 TaskEnded 2 LATE through A",
    ]
    assert story.of("TaskKeyed")[-1] == "3.5 TaskKeyed 2 DOWNGRADED"
    assert causes(story) == (1, 0, {"key": 1})
    assert "downgraded: its uplink goes without a quantum key" in said(capsys, "task", story.run, 2)


@pytest.mark.parametrize("order", ["fifo", "priority"])
def test_who_is_served_first(tmp_path, order):
    """Of two that wait the earlier is served first or, if the scenario says so, the one with the earlier deadline."""
    arrivals = [(0.25, "a", {**SMALL, "deadline_s": 9.0}), (0.5, "b", {**SMALL, "deadline_s": 8.0})]
    story = tell(tmp_path, PLATOON, arrivals, keys=keys(shortage={"order": order}), compute=CORES)
    first, second = (0, 1) if order == "fifo" else (1, 0)
    assert story.of("up_keyed") == [
        f"1 up_keyed {first} 256 bit over 1 hops",
        f"2 up_keyed {second} 256 bit over 1 hops",
    ]


def test_a_platoon_at_a_site_that_fills_vehicles(tmp_path):
    """A site gives its links' keys to the vehicles in their order: each slot's only key goes to one of the platoon.

    Vehicles ask as they enter, a first; who is full (one key) asks for no more, and needs no key of the link again.
    """
    filling = {"kind": "site", "rate_bps": KEY, "capacity_bit": KEY, "low_water_bit": KEY}
    story = tell(tmp_path, PLATOON, ARRIVALS, keys={**keys(), "vehicle": filling}, compute=CORES)
    assert story.of("VehicleKeysFilled")[:3] == [
        "1 VehicleKeysFilled a at A 256 bit",
        "2 VehicleKeysFilled b at A 256 bit",
        "3 VehicleKeysFilled c at A 256 bit",
    ]
    assert story.of("up_keyed") == [f"{n + 1} up_keyed {n} 256 bit over 0 hops" for n in range(3)]


TRIANGLE = {
    "topology": {
        "links": [
            {"ends": ["A", "B"], "length_km": 1},
            {"ends": ["A", "C"], "length_km": 1},
            {"ends": ["B", "C"], "length_km": 1},
        ]
    }
}
THREE = sites(A=0.0, B=1000.0, C=2000.0)


def test_a_cut_sends_keys_another_way(tmp_path):
    """While A-B is cut its block is lost and keys of B for A go over C; when it is mended they go straight again."""
    cut = {"kind": "cut", "ends": ["A", "B"], "start_s": 2.5, "end_s": 5.5}
    each = {**SMALL, "cycles": 1e6}
    arrivals = [(1.25, "a", each), (3.25, "b", each), (6.25, "c", each)]
    story = tell(tmp_path, PLATOON, arrivals, keys=keys(**TRIANGLE, attacks=[cut]), sites=THREE)
    assert story.of("KeyLinkChanged") == ["2.5 KeyLinkChanged A-B CUT", "5.5 KeyLinkChanged A-B UP"]
    assert story.of("up_keyed") == [
        "1.25 up_keyed 0 256 bit over 1 hops",
        "3.25 up_keyed 1 256 bit over 2 hops",
        "6.25 up_keyed 2 256 bit over 1 hops",
    ]
    blocks = [fact for fact in story.of("KeyBlockDistilled") if "A-B" in fact]
    assert [float(fact.split()[0]) for fact in blocks] == [1, 2, 6, 7, 8, 9, 10]
    assert blocks[2] == "6 KeyBlockDistilled A-B 128 of 128 bit"


def test_a_cut_of_the_only_way_starves_it(tmp_path, capsys):
    """Without another way the task waits for the mended link's first whole key, and lateness says so.

    Cut from 0.5 to 2.5: half a key at 3, the other half at 4 as part of a whole one.
    """
    cut = {"kind": "cut", "ends": ["A", "B"], "start_s": 0.5, "end_s": 2.5}
    arrivals = [(0.75, "a", {**SMALL, "deadline_s": 4.0})]
    story = tell(tmp_path, PLATOON, arrivals, keys=keys(attacks=[cut]))
    assert story.of("KeyBlockDistilled")[:2] == [
        "3 KeyBlockDistilled A-B 128 of 128 bit",
        "4 KeyBlockDistilled A-B 256 of 256 bit",
    ]
    assert story.about(0)[1] == "4 up_keyed 0 256 bit over 1 hops"
    assert causes(story) == (1, 0, {"key": 1})
    assert "key" in said(capsys, "late", story.run)


def test_a_block_in_the_making_is_lost_with_the_fibre(tmp_path):
    """Blocks of three slots: cut in the third, what two slots made is thrown away, and said at once."""
    cut = {"kind": "cut", "ends": ["A", "B"], "start_s": 2.5, "end_s": 2.75}
    story = tell(tmp_path, PLATOON, [], keys=keys(attacks=[cut], block_slots=3))
    assert story.of("KeyBlockDistilled", "KeyLinkChanged")[:4] == [
        "2.5 KeyBlockDistilled A-B 0 of 512 bit",
        "2.5 KeyLinkChanged A-B CUT",
        "2.75 KeyLinkChanged A-B UP",
        "3 KeyBlockDistilled A-B 64 of 64 bit",
    ]


def test_an_eavesdropper_stops_a_link(tmp_path, capsys):
    """A quarter of errors aborts the link: the block is thrown away, it pauses and tries again; tasks feel it.

    Tapped from 1 to 3, aborted at 2 for 2 s: at 4 it starts again, and the next whole key is there at 5.
    """
    tap = {"kind": "eavesdropper", "ends": ["A", "B"], "start_s": 1.0, "end_s": 3.0}
    arrivals = [(0.5, "a", SMALL), (1.5, "b", {**SMALL, "deadline_s": 4.0})]
    story = tell(tmp_path, PLATOON, arrivals, keys=keys(attacks=[tap], abort_pause_s=2.0))
    assert story.of("KeyLinkChanged") == ["2 KeyLinkChanged A-B ABORTED", "4 KeyLinkChanged A-B UP"]
    assert story.of("KeyBlockDistilled")[:3] == [
        "1 KeyBlockDistilled A-B 256 of 256 bit",
        "2 KeyBlockDistilled A-B 0 of 0 bit",
        "5 KeyBlockDistilled A-B 256 of 256 bit",
    ]
    assert story.of("up_keyed") == ["1 up_keyed 0 256 bit over 1 hops", "5 up_keyed 1 256 bit over 1 hops"]
    assert causes(story) == (1, 0, {"key": 1})
    assert "reason: key" in said(capsys, "task", story.run, 1)


def test_expired_keys_serve_nobody(tmp_path):
    """A pool whose keys have come of age is empty: the task waits for the next slot instead."""
    plan = keys(pool={"initial_bit": 50 * KEY, "expiry_s": 0.5})
    story = tell(tmp_path, PLATOON, [(0.25, "a", SMALL), (0.75, "b", SMALL)], keys=plan, compute=CORES)
    assert story.of("up_keyed") == ["0.25 up_keyed 0 256 bit over 1 hops", "1 up_keyed 1 256 bit over 1 hops"]


def test_a_vehicle_leaves_while_it_waits(tmp_path):
    """Who leaves while its task waits for a key ends it LEFT, and its place in the line is the next one's."""
    paths = {"a": [NEAR_A], "b": NEAR}
    late = {"rate": {**RATE, "pulse_hz": 1.0}, "pool": {"initial_bit": 0}}
    story = tell(tmp_path, paths, [(0.25, "a"), (0.5, "b")], keys=keys(**late), duration_s=3.0)
    assert story.of("up_asked", "TaskEnded", "TaskKeyed") == [
        "0.25 up_asked 0",
        "0.5 up_asked 1",
        "1 TaskEnded 0 LEFT in KEY",
        "1 TaskKeyed 0 REFUSED",
        "3 TaskEnded 1 IN_FLIGHT in KEY",
        "3 TaskKeyed 1 REFUSED",
    ]


@pytest.mark.parametrize("on_deadline", ["finish", "drop"])
def test_a_deadline_passes_while_it_waits(tmp_path, on_deadline):
    """However patient, who waits for a key waits no longer than its deadline, and ends NO_KEY, dropped or not."""
    plan = keys(rate={**RATE, "pulse_hz": 1.0}, shortage={"patience_s": 9.0})
    arrivals = [(0.25, "a", {"deadline_s": 0.5})]
    story = tell(tmp_path, PLATOON, arrivals, keys=plan, tasks={"on_deadline": on_deadline})
    assert story.about(0) == ["0.25 up_asked 0", "0.75 TaskEnded 0 NO_KEY in KEY"]


def test_a_downgrade_at_the_deadline_is_dropped(tmp_path):
    """What goes without a key at its deadline is sent and, where late tasks are dropped, dropped at that instant."""
    plan = keys(rate={**RATE, "pulse_hz": 1.0}, shortage={"then": "downgrade"})
    arrivals = [(0.25, "a", {"deadline_s": 0.5})]
    story = tell(tmp_path, PLATOON, arrivals, keys=plan, tasks={"on_deadline": "drop"})
    assert story.about(0) == ["0.25 up_asked 0", "0.75 uplink 0", "0.75 TaskEnded 0 EXPIRED in UPLINK"]
