"""A SUMO road network: its boundary, its edges and the number of its junctions."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from cosim.errors import InputError
from cosim.roads.xmlscan import scan_xml
from cosim.types import FloatArray

Bounds: TypeAlias = tuple[float, float, float, float]
"""Smallest x, smallest y, largest x, largest y, in m."""

_REMEDY = "rebuild the net with netconvert or netgenerate"


@dataclass(frozen=True, slots=True)
class Edge:
    """One direction of a road that passenger cars may use."""

    edge_id: str
    """SUMO's id."""
    lanes: int
    """Number of lanes for passenger cars."""
    speed_mps: float
    """Highest speed limit of these lanes."""
    length_m: float
    """Length of its first lane for cars."""
    shape_m: FloatArray
    """(K, 2) shape of its first lane for cars."""
    from_junction: str = ""
    to_junction: str = ""


@dataclass(frozen=True, slots=True)
class RoadNet:
    """Boundary, edges and counts of a net."""

    bounds_m: Bounds
    edges: tuple[Edge, ...]
    """Edges in the file's order."""
    junctions: int
    traffic_lights: int

    @property
    def length_m(self) -> float:
        """Length of all edges; both directions of a street count."""
        return sum(edge.length_m for edge in self.edges)

    @property
    def lane_m(self) -> float:
        """Length of all lanes for cars."""
        return sum(edge.length_m * edge.lanes for edge in self.edges)


def read_bounds(net: Path) -> Bounds:
    """Return the boundary that the head of a net states.

    Raises:
        InputError: the net cannot be read, is broken, or states no version or boundary. Without a version libsumo 1.28
            would end the whole process.
    """
    found: list[Bounds] = []
    scan_xml(net, partial(_on_location, found), _REMEDY)
    return _one_boundary(net, found)


def is_left_hand(net: Path) -> bool:
    """Return whether the head of a net says that vehicles drive on the left.

    Raises:
        InputError: the net cannot be read or is broken.
    """
    found: list[str] = []

    def on_element(name: str, attributes: dict[str, str]) -> bool:
        if name == "net":
            found.append(attributes.get("lefthand", ""))
        return True

    scan_xml(net, on_element, _REMEDY)
    return found[:1] in (["true"], ["1"], ["t"], ["yes"], ["on"])  # SUMO's words for true


def read_net(net: Path) -> RoadNet:
    """Return the net; internal edges of junctions and edges without a lane for passenger cars are left out.

    Raises:
        InputError: the net cannot be read or is broken.
    """
    reader = _Reader()
    scan_xml(net, reader.on_element, _REMEDY)
    edges = tuple(lanes.edge(net) for lanes in reader.edges if lanes.shape)
    return RoadNet(_one_boundary(net, reader.bounds), edges, reader.junctions, len(reader.lights))


def _on_location(found: list[Bounds], name: str, attributes: dict[str, str]) -> bool:
    if name == "net" and "version" not in attributes:
        raise ValueError("the net states no version")
    if name == "location":
        found.append(_boundary(attributes["convBoundary"]))
    elif name == "edge":
        return True
    return bool(found)


def _one_boundary(net: Path, found: list[Bounds]) -> Bounds:
    if not found:
        raise InputError(f"{net}: no <location> with the net's boundary, so this is not a SUMO net; {_REMEDY}")
    return found[0]


def _boundary(text: str) -> Bounds:
    left, bottom, right, top = (float(part) for part in text.split(","))
    return left, bottom, right, top


@dataclass(slots=True)
class _Lanes:
    """An edge while its lanes are read."""

    edge_id: str
    from_junction: str = ""
    to_junction: str = ""
    lanes: int = 0
    speed_mps: float = 0.0
    length_m: float = 0.0
    shape: str = ""

    def add(self, lane: dict[str, str]) -> None:
        allowed = "passenger" in lane["allow"].split() if "allow" in lane else True
        refused = lane.get("disallow", "").split()
        if not allowed or "passenger" in refused or "all" in refused:
            return
        self.lanes += 1
        self.speed_mps = max(self.speed_mps, float(lane["speed"]))
        if not self.shape:
            self.length_m, self.shape = float(lane["length"]), lane["shape"]

    def edge(self, net: Path) -> Edge:
        try:
            shape_m = np.array([point.split(",")[:2] for point in self.shape.split()], dtype=np.float64).reshape(-1, 2)
        except ValueError as error:  # no numbers, or not two for each corner
            raise InputError(f"{net}: edge {self.edge_id} has the shape {self.shape[:60]!r}; {_REMEDY}") from error
        ends = self.from_junction, self.to_junction
        return Edge(self.edge_id, self.lanes, self.speed_mps, self.length_m, shape_m, *ends)


class _Reader:
    """Collects edges, junctions and traffic lights in the order of the file."""

    def __init__(self) -> None:
        self.bounds: list[Bounds] = []
        self.edges: list[_Lanes] = []
        self.junctions = 0
        self.lights: set[str] = set()
        self._internal = False  # within an internal edge, whose lanes are not wanted

    def on_element(self, name: str, attributes: dict[str, str]) -> None:
        match name:
            case "lane" if not self._internal:
                if not self.edges:
                    raise ValueError("a lane stands outside an edge")
                self.edges[-1].add(attributes)
            case "edge":
                self._internal = "function" in attributes
                if not self._internal:
                    self.edges.append(_Lanes(attributes["id"], attributes.get("from", ""), attributes.get("to", "")))
            case "junction":
                self.junctions += attributes.get("type") != "internal"
            case "tlLogic":
                self.lights.add(attributes["id"])
            case "location":
                self.bounds.append(_boundary(attributes["convBoundary"]))
