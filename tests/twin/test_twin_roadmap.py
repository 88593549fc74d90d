"""Lanes as arrays: snapping to them and driving along them."""

import numpy as np
import pytest
from twins import bent_net, drive

from cosim.errors import InputError
from cosim.mobility.catalog import resolve_map
from cosim.roads.lanes import NO_LANE, Snapping, likeliest_next, read_lanes, travel
from cosim.twin.follow import leaders


@pytest.fixture(scope="module")
def a10(tmp_path_factory):
    return read_lanes(resolve_map("sumo:a10kw", tmp_path_factory.getbasetemp()).net)


def test_snap_finds_the_lane_again(a10):
    """A vehicle on a lane of a road is found on it, at its arc length, to a centimetre."""
    rng = np.random.default_rng(1)
    lane = rng.choice(np.flatnonzero((a10.edge >= 0) & (a10.length_m > 1)), 2000)
    at_m = rng.uniform(0.2, 0.8, 2000) * a10.length_m[lane]
    xy_m = a10.place(lane, at_m)
    ahead_m = a10.place(lane, at_m + 0.01) - xy_m
    heading_deg = np.degrees(np.arctan2(ahead_m[:, 0], ahead_m[:, 1])) % 360
    found, found_m, miss_m = Snapping(a10).snap(xy_m, heading_deg)
    assert miss_m.max() < 0.01
    assert (found == lane).mean() > 0.995  # two lanes of this net lie on each other in places
    assert np.abs(found_m - at_m)[found == lane].max() < 0.05


def test_travel_stays_on_lanes(a10):
    """Whatever the way, a drive ends within a lane, and two drives are as one."""
    rng = np.random.default_rng(2)
    after = likeliest_next(a10, np.zeros(len(a10.links)))
    lane = rng.integers(0, len(a10.length_m), 3000)
    at_m, first_m, then_m = rng.uniform(0, 1, 3000) * a10.length_m[lane], *rng.uniform(0, 300, (2, 3000))
    lane_1, at_1 = travel(a10, after, lane, at_m, first_m)
    assert ((at_1 >= 0) & (at_1 <= a10.length_m[lane_1])).all()
    lane_2, at_2 = travel(a10, after, lane_1, at_1, then_m)
    lane_3, at_3 = travel(a10, after, lane, at_m, first_m + then_m)
    ended = after[lane_1] < 0
    assert np.array_equal(lane_2[~ended], lane_3[~ended])
    assert np.allclose(at_2[~ended], at_3[~ended], atol=1e-6)
    assert np.isfinite(a10.place(lane_3, at_3)).all()


def test_links_follow_each_other(a10):
    """A lane begins where the lane before it ends, to 1.6 m, half a lane."""
    before, then = a10.links.T
    ends_m = a10.place(before, a10.length_m[before])
    starts_m = a10.place(then, np.zeros(len(then)))
    assert np.hypot(*(ends_m - starts_m).T).max() < 1.6


def test_around_a_bend(tmp_path):
    """A way around a bend ends where arc length says; the straightest continuation goes first, the usual one then."""
    lanes = read_lanes(bent_net(tmp_path))
    names = {name: np.flatnonzero(lanes.edge == k)[0] for k, name in enumerate("abc")}
    start = np.full(50, names["a"])
    ways = np.linspace(0, 590, 50)
    straight = likeliest_next(lanes, np.zeros(len(lanes.links)))
    xy_m = lanes.place(*travel(lanes, straight, start, np.zeros(50), np.minimum(ways, 500)))
    assert np.allclose(xy_m, np.column_stack((np.minimum(ways, 500), np.zeros(50))))
    to_b = 10.0 * (lanes.links_edge == 1)
    xy_m = lanes.place(*travel(lanes, likeliest_next(lanes, to_b), start, np.zeros(50), ways))
    assert np.allclose(xy_m, [drive(way)[:2] for way in ways], atol=1e-6)


def test_leader_is_the_next_in_front(tmp_path):
    """The leader is the nearest on the lane or the lanes after it, and the gap is the way to it."""
    lanes = read_lanes(bent_net(tmp_path))
    after = likeliest_next(lanes, np.zeros(len(lanes.links)))
    a, b, c = (np.flatnonzero(lanes.edge == k)[0] for k in range(3))
    lane, at_m = np.array([a, c, a, c, b, a]), np.array([50.0, 20.0, 180.0, 60.0, 3.0, 10.0])
    lead, gap_m = leaders(lanes, after, lane, at_m)
    assert lead.tolist() == [2, 3, 1, -1, -1, 0]
    assert np.allclose(gap_m, [130, 40, 43, np.inf, np.inf, 40])


def test_dead_end_has_no_next(tmp_path):
    """The last lane of a way is followed by none, and a drive ends there."""
    lanes = read_lanes(bent_net(tmp_path))
    after = likeliest_next(lanes, np.zeros(len(lanes.links)))
    c = np.flatnonzero(lanes.edge == 2)
    assert after[c[0]] == NO_LANE
    lane, at_m = travel(lanes, after, c, np.array([290.0]), np.array([1000.0]))
    assert (lane[0], at_m[0]) == (c[0], lanes.length_m[c[0]])


def test_no_lanes(tmp_path):
    """A net without a lane is refused in one line."""
    net = tmp_path / "empty.net.xml"
    net.write_text('<net version="1.20"/>', encoding="utf-8")
    with pytest.raises(InputError, match="no lane for vehicles"):
        read_lanes(net)
