"""The lanes of a SUMO net as arrays: lane and arc length of a vehicle, and where it gets by driving on.

Lanes for buses alone are included, as buses are vehicles too; those for pedestrians, bicycles, rails and ships are left
out.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from cosim.errors import InputError
from cosim.roads.xmlscan import scan_xml
from cosim.types import FloatArray, IntArray

NO_LANE = -1
_REMEDY = "rebuild the net with netconvert or netgenerate"
_POINT_M = 2.0
"""Spacing of the points for snapping: less than the 3.2 m between two lanes."""
_HEADING_M = 4.0
"""Distance that counts as much as a heading that is wrong by one radian, in snapping."""
_CANDIDATES = 4
_HOPS = 64
"""Most lanes in one drive, which bounds the work: a drive ends after so many, whatever distance is left."""
_STRAIGHT = 3.0
"""Advantage of going straight on over turning back, in crossings seen."""
_NOT_DRIVEN = ("pedestrian", "rail", "rail_urban", "rail_fast", "rail_electric", "tram", "ship", "bicycle")


@dataclass(frozen=True, slots=True)
class Lanes:
    """L lanes with G straight segments and C connections; arc lengths are in the lane's own metres.

    SUMO moves vehicles by the length that a net states for a lane, which may differ from the length of its shape; arc
    lengths here are stretched accordingly, as SUMO does.
    """

    length_m: FloatArray
    """(L,) lengths."""
    limit_mps: FloatArray
    """(L,) speed limits."""
    edge: IntArray
    """(L,) number of the edge that the lane belongs to; -1: within a junction."""
    from_m: FloatArray
    """(L,) where the lane begins when all lanes are laid end to end, ascending."""
    segment_m: FloatArray
    """(G,) likewise of each segment, ascending."""
    start_m: FloatArray
    """(G, 2) position of its start."""
    along: FloatArray
    """(G, 2) change of position for each metre of the lane."""
    heading_rad: FloatArray
    """(G,) direction, counter-clockwise from east."""
    segment_lane: IntArray
    """(G,) lane of each segment."""
    last: IntArray
    """(L,) last segment of each lane."""
    links: IntArray
    """(C, 2) lane and the lane that follows it, in order of the first."""
    links_edge: IntArray
    """(C,) edge that the connection finally leads to, -1: none."""
    bend_rad: FloatArray
    """(C,) how much the connection turns in all, in [0, pi]."""

    def place(self, lane: IntArray, at_m: FloatArray) -> FloatArray:
        """Return the positions (V, 2) of arc lengths (V,) on lanes (V,)."""
        segment = self._segment(lane, at_m)
        onward_m = self.from_m[lane] + at_m - self.segment_m[segment]
        place: FloatArray = self.start_m[segment] + self.along[segment] * onward_m[:, None]
        return place

    def nearest(self, lane: IntArray, at_m: FloatArray, xy_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the arc lengths (V,) nearest to given positions, on the segments at `at_m`, and distances (V,) in m.

        The distance is that of each given position from the point at `at_m` itself.

        Args:
            lane: (V,) lanes.
            at_m: (V,) arc lengths.
            xy_m: (V, 2) positions.
        """
        segment = self._segment(lane, at_m)
        along = self.along[segment]
        onward_m = self.from_m[lane] + at_m - self.segment_m[segment]
        away_m = xy_m - self.start_m[segment] - along * onward_m[:, None]
        nearest_m = at_m + (away_m[:, 0] * along[:, 0] + away_m[:, 1] * along[:, 1]) / (along * along).sum(axis=1)
        return np.clip(nearest_m, 0.0, self.length_m[lane]), np.hypot(away_m[:, 0], away_m[:, 1])

    def _segment(self, lane: IntArray, at_m: FloatArray) -> IntArray:
        found = np.searchsorted(self.segment_m, self.from_m[lane] + at_m, side="right") - 1
        segment: IntArray = np.minimum(found, self.last[lane])  # the end of a lane is not the start of the next
        return segment


@dataclass(slots=True)
class _Reading:
    """The lanes and connections of a net while it is read."""

    lanes: dict[str, int]
    shapes: list[FloatArray]
    numbers: list[tuple[float, float, int]]  # length, limit, edge
    edges: dict[str, int]
    links: list[tuple[str, str, str]]  # from, next, final edge
    edge: str = ""
    internal: bool = False

    def on_element(self, name: str, attributes: dict[str, str]) -> None:
        match name:
            case "edge":
                self.edge = attributes["id"]
                function = attributes.get("function", "normal")
                self.internal = function == "internal"
                if function in ("crossing", "walkingarea"):
                    self.edge = ""
                elif not self.internal:
                    self.edges.setdefault(self.edge, len(self.edges))
            case "lane" if self.edge and not _closed(attributes):
                self._lane(attributes)
            case "connection":
                start = f"{attributes['from']}_{attributes['fromLane']}"
                end = f"{attributes['to']}_{attributes['toLane']}"
                self.links.append((start, attributes.get("via", end), attributes["to"]))

    def _lane(self, lane: dict[str, str]) -> None:
        shape = np.array([point.split(",")[:2] for point in lane["shape"].split()], dtype=np.float64).reshape(-1, 2)
        shape = shape[np.append(True, (np.diff(shape, axis=0) != 0.0).any(axis=1))]
        if len(shape) < 2:
            return
        self.lanes[lane["id"]] = len(self.shapes)
        self.shapes.append(shape)
        edge = NO_LANE if self.internal else self.edges[self.edge]
        self.numbers.append((max(float(lane["length"]), 0.01), float(lane["speed"]), edge))


def _closed(lane: dict[str, str]) -> bool:
    """Return whether no car, bus or truck may use the lane."""
    allowed = lane.get("allow", "").split()
    return bool(allowed) and all(word in _NOT_DRIVEN for word in allowed)


def read_lanes(net: Path) -> Lanes:
    """Return the lanes of a net.

    Raises:
        InputError: the net cannot be read, is broken or has no lane.
    """
    reading = _Reading({}, [], [], {}, [])
    scan_xml(net, reading.on_element, _REMEDY)
    if not reading.shapes:
        raise InputError(f"{net}: no lane for vehicles in it; {_REMEDY}")
    return _assembled(reading)


def _assembled(reading: _Reading) -> Lanes:
    length_m, limit_mps, edge = (np.array(column) for column in zip(*reading.numbers, strict=True))
    from_m = np.concatenate(([0.0], np.cumsum(length_m)[:-1]))
    steps = [np.diff(shape, axis=0) for shape in reading.shapes]
    sizes = np.array([len(step) for step in steps])
    step_m = np.concatenate(steps)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    size_m = np.hypot(step_m[:, 0], step_m[:, 1])
    shape_m = np.bincount(owner, size_m)
    own_m = size_m * (length_m / shape_m)[owner]
    first = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    before_m = np.cumsum(own_m) - own_m
    segment_m = before_m - before_m[first][owner] + from_m[owner]
    heading_rad = np.arctan2(step_m[:, 1], step_m[:, 0])
    links, ends = _links(reading)
    turn = _turns(links, heading_rad, first + sizes - 1)
    return Lanes(
        length_m=length_m,
        limit_mps=limit_mps,
        edge=edge.astype(np.int64),
        from_m=from_m,
        segment_m=segment_m,
        start_m=np.concatenate([shape[:-1] for shape in reading.shapes]),
        along=step_m / own_m[:, None],
        heading_rad=heading_rad,
        segment_lane=owner,
        last=first + sizes - 1,
        links=links,
        links_edge=ends,
        bend_rad=turn,
    )


def _links(reading: _Reading) -> tuple[IntArray, IntArray]:
    known = [
        (reading.lanes[start], reading.lanes[end], reading.edges.get(final, NO_LANE))
        for start, end, final in reading.links
        if start in reading.lanes and end in reading.lanes
    ]
    table = np.array(sorted(known), dtype=np.int64).reshape(-1, 3)
    return table[:, :2], table[:, 2]


def _turns(links: IntArray, heading_rad: FloatArray, last: IntArray) -> FloatArray:
    """Return the angle between the end of a lane and the end of the next, which for a junction is its far side."""
    away = heading_rad[last[links[:, 1]]] - heading_rad[last[links[:, 0]]]
    turn: FloatArray = np.abs((away + np.pi) % (2.0 * np.pi) - np.pi)
    return turn


class Snapping:
    """Finds the lane and the arc length of a vehicle from its position and heading."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        ends_m = np.append(lanes.segment_m[1:], lanes.from_m[-1] + lanes.length_m[-1])
        self._size_m = ends_m - lanes.segment_m
        counts = np.maximum(np.ceil(self._size_m / _POINT_M).astype(np.int64), 1)
        self._segment = np.repeat(np.arange(len(counts)), counts)
        nth = np.arange(len(self._segment)) - np.repeat(np.cumsum(counts) - counts, counts)
        at_m = (nth + 0.5) * (self._size_m / counts)[self._segment]
        points_m = lanes.start_m[self._segment] + lanes.along[self._segment] * at_m[:, None]
        self._tree = KDTree(_keyed(points_m, lanes.heading_rad[self._segment]))

    def snap(self, xy_m: FloatArray, heading_deg: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
        """Return lane (V,), arc length (V,) and distance from the lane (V,) in m.

        The nearest lane is taken, where a difference in heading counts as _HEADING_M metres for each radian.
        """
        heading_rad = np.radians(90.0 - heading_deg)
        _, point = self._tree.query(_keyed(xy_m, heading_rad), k=_CANDIDATES)
        segment = self._segment[np.minimum(point, len(self._segment) - 1)]  # (V, K)
        lanes = self._lanes
        along = lanes.along[segment]
        away_m = xy_m[:, None, :] - lanes.start_m[segment]
        onward_m = (away_m * along).sum(axis=2) / (along * along).sum(axis=2)
        onward_m = np.clip(onward_m, 0.0, self._size_m[segment])
        miss_m = np.hypot(*np.moveaxis(away_m - along * onward_m[..., None], 2, 0))
        turned = np.abs((lanes.heading_rad[segment] - heading_rad[:, None] + np.pi) % (2.0 * np.pi) - np.pi)
        best = np.argmin(miss_m + _HEADING_M * turned, axis=1)
        row = np.arange(len(xy_m))
        chosen = segment[row, best]
        lane = lanes.segment_lane[chosen]
        at_m = lanes.segment_m[chosen] - lanes.from_m[lane] + onward_m[row, best]
        return lane, at_m, miss_m[row, best]


def _keyed(xy_m: FloatArray, heading_rad: FloatArray) -> FloatArray:
    """Return points of four dimensions: position and direction."""
    return np.column_stack((xy_m, _HEADING_M * np.cos(heading_rad), _HEADING_M * np.sin(heading_rad)))


def likeliest_next(lanes: Lanes, crossings: FloatArray) -> IntArray:
    """Return the lane that follows each, (L,); -1 at a dead end.

    The connection with the most crossings seen (C,) wins; going straight on counts as _STRAIGHT more and turning back
    as none, so that without any crossing seen the straightest wins. A tie goes to the first of the net.
    """
    after = np.full(len(lanes.length_m), NO_LANE, dtype=np.int64)
    if not len(lanes.links):
        return after
    weight = crossings + _STRAIGHT * (1.0 - lanes.bend_rad / np.pi)
    starts = lanes.links[:, 0]
    first = np.flatnonzero(np.append(True, starts[1:] != starts[:-1]))
    best = np.repeat(np.maximum.reduceat(weight, first), np.diff(np.append(first, len(starts))))
    chosen = np.flatnonzero(weight == best)[::-1]  # of equals the first is written last
    after[starts[chosen]] = lanes.links[chosen, 1]
    return after


def travel(
    lanes: Lanes, after: IntArray, lane: IntArray, at_m: FloatArray, way_m: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return lane and arc length after a distance along the lanes and their successors; a dead end stops the drive.

    Args:
        lanes: lanes of the net.
        after: (L,) the lane that follows each.
        lane: (V,) lane at the start.
        at_m: (V,) arc length there.
        way_m: (V,) distance to travel, at least 0.
    """
    lane, at_m = lane.copy(), at_m + way_m
    going = np.flatnonzero(at_m > lanes.length_m[lane])
    for _ in range(_HOPS):
        going = going[after[lane[going]] >= 0]
        if not len(going):
            break
        here = lane[going]
        at_m[going] -= lanes.length_m[here]
        lane[going] = after[here]
        going = going[at_m[going] > lanes.length_m[lane[going]]]
    return lane, np.minimum(at_m, lanes.length_m[lane])
