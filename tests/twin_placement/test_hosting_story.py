"""The lives of single twins, to the microsecond: made, moved, refused, ended."""

import pytest
from hosting_cases import lives, moves
from stories import AWAY, FAR, NEAR_A, NEAR_B

A, B, CLOUD, NONE = 0, 1, 2, -1
DRIVE = {"car": [NEAR_A] * 10 + [NEAR_B] * 11}


def test_made_moved_and_silent_meanwhile(tmp_path):
    """Made in 1 + 2 s; moved from the decision at 12 s on in 2.2 + 0.5 s, in which its age grows to 4 s."""
    tables = lives(tmp_path, DRIVE)
    assert moves(tables) == [(3.0, 0, NONE, A), (14.7, 0, A, B)]
    assert tables["moved"].began_s.tolist() == tables["moved"].still_s.tolist() == [0.0, 12.0]
    assert tables["moved"].bit.tolist() == [1e6, 1e6]
    synced = tables["synced"]
    assert synced[synced.node == A].generated_s.tolist() == [float(time) for time in range(3, 12)]
    assert synced[synced.node == B].generated_s.tolist() == [15.0, 16.0, 17.0, 18.0, 19.0]
    ages = tables["sampled"].set_index("time_s").max_age_s
    assert (ages[11.0], ages[14.0], ages[15.0], ages[16.0]) == (1.0, 3.0, 4.0, 1.0)
    hosts = tables["hosts"].pivot_table(index="time_s", columns="node", values="twins")
    assert hosts.loc[[1.0, 3.0, 13.0, 14.0, 15.0]].values.tolist() == [[1, 0], [1, 0], [1, 1], [1, 1], [0, 1]]


def test_live_copy_shortens_the_silence(tmp_path):
    """One round takes 2.2 s while it goes on, in which 0.22 Mbit change; those go in 0.64 s, and 0.5 s restart it."""
    moved = lives(tmp_path, DRIVE, {"migration": {"precopy_rounds": 1, "dirty_bps": 1e5}})["moved"].iloc[1]
    assert (moved.began_s, moved.still_s) == (12.0, pytest.approx(14.2))
    assert moved.time_s == pytest.approx(15.34)
    assert moved.bit == pytest.approx(1.22e6)


def test_no_round_where_the_state_changes_faster_than_it_is_copied(tmp_path):
    """Two hops carry a bit in 2 us; a state that changes at 0.6 Mbit/s is sent once, while the twin stands still."""
    moved = lives(tmp_path, DRIVE, {"migration": {"precopy_rounds": 3, "dirty_bps": 6e5}})["moved"].iloc[1]
    assert (moved.still_s, moved.bit) == (12.0, 1e6)


@pytest.mark.parametrize(("margin", "moved"), [(1.0, 1), (1.1, 0)])
def test_hysteresis(tmp_path, margin, moved):
    """Saving 60 x 0.202 s against 2.7^2 / 2 + 2.2 s: the twin moves up to a margin of 1.07, and not beyond it."""
    tables = lives(tmp_path, DRIVE, {"migration": {"margin": margin}})
    assert (tables["moved"].from_node == A).sum() == moved


def test_without_migration_twins_stay(tmp_path):
    """With `migration: null` the twin stays where it was made, and messages follow it over the wires."""
    tables = lives(tmp_path, DRIVE, {"migration": None})
    assert moves(tables) == [(3.0, 0, NONE, A)]
    assert set(tables["synced"].node) == {A}


def test_served_upload_goes_on_over_the_wires(tmp_path):
    """With places on the cloud alone the data go 1 s by air, 2 s and 0.2 s by two wires, and are worked on for 2 s."""
    cloud = {"edge": None, "cloud": {"places": 2, "compute_hz": 1e6}}
    wan = {"cores": 1, "core_hz": 1e9, "latency_s": 0.1, "bandwidth_bps": 1e6}
    assert moves(lives(tmp_path, {"car": [NEAR_A] * 21}, {"tiers": cloud}, cloud=wan)) == [(5.2, 0, NONE, CLOUD)]


def test_sites_without_cores_are_rsus(tmp_path):
    """A site without cores for tasks carries twins as an RSU, where that tier has places."""
    sites = {
        "kind": "listed",
        "sites": [{"name": n, "x_m": x, "y_m": 0.0, "cores": 0} for n, x in (("A", 0), ("B", 1000))],
    }
    tiers = {"edge": None, "rsu": {"places": 2, "compute_hz": 1e6}}
    assert moves(lives(tmp_path, {"car": [NEAR_A] * 21}, {"tiers": tiers}, sites=sites)) == [(3.0, 0, NONE, A)]


def test_no_room_is_told_and_made_good(tmp_path):
    """A third twin for two places is refused; it gets a host at the first decision after another vehicle has left."""
    paths = {"a": [NEAR_A] * 6, "b": [NEAR_A] * 21, "c": [NEAR_A] * 21}
    tables = lives(tmp_path, paths, {"tiers": {"edge": {"places": 1, "compute_hz": 5e5}}, "migration": None})
    assert moves(tables) == [(0.0, 2, NONE, NONE), (3.0, 0, NONE, A), (5.2, 1, NONE, B), (11.0, 2, NONE, A)]
    assert (tables["hosts"].twins <= tables["hosts"].capacity).all()


@pytest.mark.parametrize(("limit_s", "made"), [(None, (3.25, 0, NONE, A)), (3.3, (3.25, 0, NONE, A)), (3.1, None)])
def test_upload_waits_for_its_grant(tmp_path, limit_s, made):
    """Made in 0.25 + 1 + 2 s: a placement knows the wait, and makes no twin within 3.1 s."""
    placement = {"creation": {"data_bit": 1e6, "limit_s": limit_s}}
    tables = lives(tmp_path, {"car": [NEAR_A] * 21}, placement, radio={"grant_s": {"uplink": 0.25}})
    assert [row for row in moves(tables) if row[3] != NONE] == ([] if made is None else [made])


def test_upload_waits_for_coverage(tmp_path):
    """A vehicle in no cell finds no host; in a cell it does, and an upload that is cut for long begins again later."""
    path = [FAR] * 2 + [NEAR_A] * 3 + [FAR] * 5 + [NEAR_A] * 11
    tables = lives(tmp_path, {"car": path}, {"creation": {"data_bit": 2e6}})
    assert moves(tables) == [(0.0, 0, NONE, NONE), (8.0, 0, NONE, NONE), (18.0, 0, NONE, A)]
    assert tables["moved"].began_s.tolist() == [0.0, 8.0, 12.0]


def test_a_vehicle_that_leaves_frees_every_place(tmp_path):
    """Vehicles that leave during upload, computation and move leave no twin behind."""
    paths = {"moves": [NEAR_A] * 10 + [NEAR_B] * 4, "sends": [NEAR_A], "works": [NEAR_A] * 2}
    tables = lives(tmp_path, paths, {"tiers": {"edge": {"places": 3, "compute_hz": 1.5e6}}})
    assert moves(tables) == [(3.0, 0, NONE, A)]
    assert tables["hosts"].set_index("time_s").twins[13.0].tolist() == [1, 1]
    assert tables["hosts"].set_index("time_s").twins[14.0].tolist() == [0, 0]


def test_a_full_host_hands_twins_on(tmp_path):
    """Above 90 % a host hands on what is above 50 %, and what was handed on does not come back."""
    rule = {"high": 0.9, "target": 0.5, "state_bit": 1e4}
    tiers = {"edge": {"places": 4, "compute_hz": 2e6}}
    paths = {name: [NEAR_A] * 21 for name in "abcd"}
    tables = lives(tmp_path, paths, {"migration": rule, "tiers": tiers})
    gone = tables["moved"][tables["moved"].from_node == A]
    assert len(gone) == 2
    assert (gone.began_s == 4.0).all()
    assert tables["hosts"].set_index("time_s").twins[20.0].tolist() == [2, 2]


def test_off_the_road_nothing_breaks(tmp_path):
    """A vehicle that is teleported keeps its twin."""
    path = [NEAR_A] * 5 + [AWAY] * 3 + [NEAR_A] * 13
    assert moves(lives(tmp_path, {"car": path})) == [(3.0, 0, NONE, A)]
