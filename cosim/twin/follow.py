"""Motion of vehicles along the lanes of the map: usual turns, usual accelerations, and the vehicle in front.

What is usual is learnt from the states that the twin has received so far, and from nothing else. A route that a vehicle
could have sent to its twin is not known here: sources of traffic give none.
"""

import numpy as np

from cosim.roads.lanes import NO_LANE, Lanes, Snapping, likeliest_next, travel
from cosim.twin.tracks import ColumnStore, Tracks
from cosim.types import FloatArray, IntArray

_PIECE_M = 20.0
_CLASSES = 6
_CLASS_MPS = 4.0
_DOUBT = 3.0
"""Observations of acceleration 0 that count before the first real one, for each piece and class."""
_SOON_S = 2.0
"""Longest time between two states that show the acceleration at a place."""
_LOOK_M = 150.0
_LOOK_LANES = 6
_CHAIN = 4
"""Number of vehicles, one behind the other, that act on each other within one forecast."""
_STEPS = 20
_NEWS = 0.01
"""Share of new crossings at which the usual turns are computed again."""
_STANDING_MPS = 1.0
_AS_RECKONED_M = 0.3
"""Largest distance from its expected position on a lane for a vehicle on it; lanes are 3.2 m apart."""


class TurnStatistics:
    """Statistics of turns and accelerations: by connection of two edges, and by piece of lane and class of speed.

    An acceleration is the mean of (v' - v) / t over pairs of states at most _SOON_S apart, counted at position and
    speed of the first one, with _DOUBT zeros before. Classes are 4 m/s wide; vehicles below 1 m/s are left out, as
    their wait ends by a traffic light or a gap, not by the place.

    Args:
        lanes: lanes of the net.
    """

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        pieces = np.ceil(lanes.length_m / _PIECE_M).astype(np.int64)
        self._first: IntArray = np.cumsum(pieces) - pieces
        self._gain: FloatArray = np.zeros(int(pieces.sum()) * _CLASSES)
        self._seen: FloatArray = np.full(len(self._gain), _DOUBT)
        self._roads = int(lanes.edge.max()) + 1
        code = lanes.edge[lanes.links[:, 0]] * self._roads + lanes.links_edge
        apart = (lanes.edge[lanes.links[:, 0]] < 0) | (lanes.links_edge < 0)
        self._codes, self._code = np.unique(np.where(apart, -1, code), return_inverse=True)
        self._crossings: FloatArray = np.zeros(len(self._codes))
        self._fresh = 0  # crossings since `after` was made
        self.after = likeliest_next(lanes, self._crossings[self._code])

    def cell(self, lane: IntArray, at_m: FloatArray, speed_mps: FloatArray) -> IntArray:
        """Return piece of lane and class of speed as one number, (V,); NO_LANE below 1 m/s.

        Args:
            lane: (V,) lanes.
            at_m: (V,) arc lengths.
            speed_mps: (V,) speeds.
        """
        piece = self._first[lane] + (np.minimum(at_m, self._lanes.length_m[lane] - 1e-6) / _PIECE_M).astype(np.int64)
        grade = np.minimum(speed_mps / _CLASS_MPS, _CLASSES - 1).astype(np.int64)
        cell: IntArray = np.where(speed_mps < _STANDING_MPS, NO_LANE, piece * _CLASSES + grade)
        return cell

    def change_mps2(self, lane: IntArray, at_m: FloatArray, speed_mps: FloatArray) -> FloatArray:
        """Return the usual acceleration, (V,); 0 below 1 m/s.

        Args:
            lane: (V,) lanes.
            at_m: (V,) arc lengths.
            speed_mps: (V,) speeds.
        """
        cell = self.cell(lane, at_m, speed_mps)
        change: FloatArray = np.where(cell < 0, 0.0, self._gain[cell] / self._seen[cell])
        return change

    def learn_speed(self, cell: IntArray, change_mps2: FloatArray) -> None:
        """Count accelerations (V,) in cells (V,)."""
        known = cell >= 0
        np.add.at(self._gain, cell[known], change_mps2[known])
        np.add.at(self._seen, cell[known], 1.0)

    def learn_turns(self, road: IntArray, next_road: IntArray) -> None:
        """Count vehicles that were on one edge (V,) and then on another (V,)."""
        moved = (road >= 0) & (next_road >= 0) & (road != next_road)
        code = road[moved] * self._roads + next_road[moved]
        at = np.minimum(np.searchsorted(self._codes, code), len(self._codes) - 1)
        at = at[self._codes[at] == code] if len(self._codes) else at[:0]
        np.add.at(self._crossings, at, 1.0)
        self._fresh += len(at)
        if self._fresh > _NEWS * self._crossings.sum():
            self._fresh = 0
            self.after = likeliest_next(self._lanes, self._crossings[self._code])


def leaders(lanes: Lanes, after: IntArray, lane: IntArray, at_m: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the vehicle in front of each, and the distance to its front.

    The next one on the same lane, else the last one on the lanes that follow, within 150 m and six lanes.

    Args:
        lanes: lanes of the net.
        after: (L,) the lane that follows each.
        lane: (V,) lanes of the vehicles.
        at_m: (V,) their arc lengths.

    Returns:
        (V,) index of the vehicle in front, -1 for none, and (V,) distance in m, inf for none.
    """
    count = len(lane)
    lead, gap_m = np.full(count, -1, dtype=np.int64), np.full(count, np.inf)
    order = np.argsort(lanes.from_m[lane] + at_m, kind="stable")
    sorted_lane = lane[order]
    same = sorted_lane[1:] == sorted_lane[:-1]
    behind, front = order[:-1][same], order[1:][same]
    lead[behind], gap_m[behind] = front, at_m[front] - at_m[behind]
    hindmost = np.full(len(lanes.length_m), -1, dtype=np.int64)
    hindmost[sorted_lane[::-1]] = order[::-1]
    alone = np.flatnonzero(lead < 0)
    here = lane[alone]
    way_m = lanes.length_m[here] - at_m[alone]
    for _ in range(_LOOK_LANES):
        here = after[here]
        going = (here >= 0) & (way_m < _LOOK_M)
        alone, here, way_m = alone[going], here[going], way_m[going]
        found = hindmost[here]
        hit = found >= 0
        lead[alone[hit]], gap_m[alone[hit]] = found[hit], way_m[hit] + at_m[found[hit]]
        alone, here, way_m = alone[~hit], here[~hit], (way_m + lanes.length_m[here])[~hit]
    return lead, gap_m


class _Vehicles(ColumnStore):
    """Positions of vehicles on the lanes, by row of the tracks."""

    lane: IntArray
    """NO_LANE off the road."""
    at_m: FloatArray
    cell: IntArray
    """See `TurnStatistics.cell`."""
    road: IntArray
    """The last edge, kept on connections."""
    lead: IntArray
    """Row of the vehicle in front, -1 without one."""
    gap_m: FloatArray
    made_m: FloatArray
    """Distance travelled since its state, up to the time of the newest state."""

    def __init__(self) -> None:
        super().__init__(0, lane=NO_LANE, at_m=0.0, cell=NO_LANE, road=NO_LANE, lead=-1, gap_m=np.inf, made_m=0.0)


class MapMotion:
    """Forecasts along lanes.

    A vehicle travels with its speed and the usual accelerations, in steps of a second (or more, 20 at most), into the
    lane that follows most often. It does not come closer than `room_m`, front to front, to the forecast position of the
    vehicle in front.

    Args:
        lanes: lanes of the net.
        room_m: 0 or more; infinite gaps are never closed.
        off_road_m: a vehicle farther from each lane moves straight on.
    """

    def __init__(self, lanes: Lanes, room_m: float, off_road_m: float) -> None:
        self._lanes, self._room_m, self._off_road_m = lanes, room_m, off_road_m
        self._snapping, self._statistics = Snapping(lanes), TurnStatistics(lanes)
        self._vehicles = _Vehicles()
        self._stale = True

    def observe(self, tracks: Tracks, rows: IntArray, before_mps: FloatArray) -> None:
        """Take in new states.

        Args:
            tracks: the states.
            rows: (V,) rows that are new.
            before_mps: (V,) speeds before, NaN for new vehicles.
        """
        self._vehicles.reach(len(tracks))
        new = np.isnan(before_mps)
        speed_mps = tracks.speed_mps[rows]
        lane, at_m, miss_m = self._found(tracks, rows, np.where(new, np.nan, tracks.gap_s[rows] * speed_mps))
        road = self._lanes.edge[lane]
        gap_s = tracks.gap_s[rows]
        soon = ~new & (gap_s > 0.0) & (gap_s <= _SOON_S)
        change = (speed_mps - before_mps)[soon] / gap_s[soon]
        self._statistics.learn_speed(self._vehicles.cell[rows][soon], change)
        self._statistics.learn_turns(np.where(new, NO_LANE, self._vehicles.road[rows]), road)
        self._vehicles.lane[rows] = np.where(miss_m > self._off_road_m, NO_LANE, lane)
        self._vehicles.at_m[rows] = at_m
        self._vehicles.cell[rows] = np.where(
            miss_m > self._off_road_m, NO_LANE, self._statistics.cell(lane, at_m, speed_mps)
        )
        self._vehicles.road[rows] = np.where((road >= 0) | new, road, self._vehicles.road[rows])
        self._stale = True

    def _found(self, tracks: Tracks, rows: IntArray, way_m: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
        """Return lane, arc length and distance from the lane (V,) of new states.

        A vehicle is searched where it should be after travelling `way_m` (V,), with its new speed, which is how SUMO
        moves it; and on the whole map if it is not there, if the distance is NaN or if it was off the road.
        """
        xy_m = tracks.xy_m[rows]
        lane, at_m = np.maximum(self._vehicles.lane[rows], 0), self._vehicles.at_m[rows]
        lane, at_m = travel(self._lanes, self._statistics.after, lane, at_m, np.nan_to_num(way_m))
        at_m, miss_m = self._lanes.nearest(lane, at_m, xy_m)
        lost = np.flatnonzero(np.isnan(way_m) | (self._vehicles.lane[rows] < 0) | (miss_m > _AS_RECKONED_M))
        if len(lost):
            lane[lost], at_m[lost], miss_m[lost] = self._snapping.snap(xy_m[lost], tracks.heading_deg[rows[lost]])
        return lane, at_m, miss_m

    def place(self, tracks: Tracks, rows: IntArray, due_s: float, straight_m: FloatArray) -> FloatArray:
        """Return positions (V, 2) at a time.

        Args:
            tracks: the states.
            rows: (V,) rows of the vehicles.
            due_s: the time.
            straight_m: (V, 2) positions for vehicles off the road.
        """
        if self._stale:
            self._look(tracks)
        every = self._with_leaders(rows)
        way_m = self._way_m(tracks, every, due_s)[np.searchsorted(every, rows)]
        on_road = self._vehicles.lane[rows] >= 0
        lane, at_m = self._vehicles.lane[rows][on_road], self._vehicles.at_m[rows][on_road]
        xy_m = straight_m.copy()
        xy_m[on_road] = self._lanes.place(*travel(self._lanes, self._statistics.after, lane, at_m, way_m[on_road]))
        return xy_m

    def _look(self, tracks: Tracks) -> None:
        """Find the vehicle in front of each, with all states moved to the time of the newest."""
        rows = tracks.used
        rows = rows[self._vehicles.lane[rows] >= 0]
        self._vehicles.lead[:], self._vehicles.gap_m[:], self._vehicles.made_m[:] = -1, np.inf, 0.0
        self._stale = False
        if not len(rows):
            return
        made_m = tracks.speed_mps[rows] * (tracks.time_s[rows].max() - tracks.time_s[rows])
        lane, at_m = travel(
            self._lanes, self._statistics.after, self._vehicles.lane[rows], self._vehicles.at_m[rows], made_m
        )
        lead, gap_m = leaders(self._lanes, self._statistics.after, lane, at_m)
        self._vehicles.lead[rows] = np.where(lead >= 0, rows[lead], -1)
        self._vehicles.gap_m[rows], self._vehicles.made_m[rows] = gap_m, made_m

    def _with_leaders(self, rows: IntArray) -> IntArray:
        """Return the rows, those in front of them and so on, ascending."""
        wanted = np.zeros(len(self._vehicles), dtype=np.bool_)
        wanted[rows] = True
        front = rows
        for _ in range(_CHAIN):
            front = self._vehicles.lead[front]
            front = front[front >= 0]
            wanted[front] = True
        return np.flatnonzero(wanted)

    def _way_m(self, tracks: Tracks, rows: IntArray, due_s: float) -> FloatArray:
        """Return the distances travelled (R,) from the last states of ascending rows to `due_s`."""
        alone_m = self._alone_m(tracks, rows, due_s)
        made_m = self._vehicles.made_m[rows]
        lead = np.searchsorted(rows, self._vehicles.lead[rows])
        led = (self._vehicles.lead[rows] >= 0) & (rows[np.minimum(lead, len(rows) - 1)] == self._vehicles.lead[rows])
        follower = np.flatnonzero(led & (alone_m > made_m))
        front, room_m = lead[follower], self._vehicles.gap_m[rows[follower]] - self._room_m
        wish_m = alone_m - made_m
        onward_m = wish_m.copy()
        for _ in range(_CHAIN):
            onward_m[follower] = np.minimum(wish_m[follower], np.maximum(room_m + onward_m[front], 0.0))
        return made_m + onward_m

    def _alone_m(self, tracks: Tracks, rows: IntArray, due_s: float) -> FloatArray:
        """Return the distances travelled (R,) as if no vehicle drove in front."""
        ahead_s = np.maximum(due_s - tracks.time_s[rows], 0.0)
        steps = np.clip(np.ceil(ahead_s), 1, _STEPS)  # each vehicle's own, whoever else is asked for
        full_s = ahead_s / steps
        most = int(steps.max(initial=1.0))
        speed_mps, way_m = tracks.speed_mps[rows], np.zeros(len(rows))
        lane, at_m = np.maximum(self._vehicles.lane[rows], 0), self._vehicles.at_m[rows]
        for step in range(most):
            step_s = np.where(step < steps, full_s, 0.0)
            change = self._statistics.change_mps2(lane, at_m, speed_mps)
            speed_mps = np.maximum(speed_mps + change * step_s, 0.0)
            made_m = speed_mps * step_s
            way_m += made_m
            if step < most - 1:
                lane, at_m = travel(self._lanes, self._statistics.after, lane, at_m, made_m)
        return way_m
