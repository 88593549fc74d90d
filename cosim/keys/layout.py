"""The layout of the key network: trusted nodes, the QKD links between them, and fibre lengths (paper S3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2

import networkx as nx
import numpy as np

from cosim.errors import InputError
from cosim.roads.siting import PlacedSite
from cosim.scenario.keys import KeyTopology
from cosim.topology import mesh_wires
from cosim.types import FloatArray, IntArray

SHORTEST_KM = 0.001
"""Least length of a fibre: two nodes in one room still have a patch cord between them."""


@dataclass(frozen=True, slots=True)
class Fibre:
    """A QKD link over fibre between two nodes; its number is its index in `KeyLayout.links`."""

    start: int
    end: int
    length_km: float


@dataclass(frozen=True, slots=True)
class KeyLayout:
    """The nodes and links of the key network.

    Nodes 0..sites-1 are the sites, with their own numbers; the stand-alone nodes of the topology follow.
    """

    names: tuple[str, ...]
    sites: int
    xy_m: FloatArray  # (N, 2)
    links: tuple[Fibre, ...]

    def site(self, name: str, field: str) -> int:
        """Return the number of the site with this name; errors name the scenario's `field`.

        Raises:
            InputError: there is no such site.
        """
        if name not in self.names[: self.sites]:
            raise InputError(f"{field}: no site is named {name}; the sites are {_listed(self.names[: self.sites])}")
        return self.names.index(name)

    def recorder(self, link: int) -> int:
        """Return the site that records a link's key blocks in the ledger.

        It is the end that is a site; of two sites the one of lower number; site 0 where neither end is a site.
        """
        fibre = self.links[link]
        first = min(fibre.start, fibre.end)
        return first if first < self.sites else 0

    def link(self, ends: tuple[str, str], field: str) -> int:
        """Return the number of the link between two nodes, in either order; errors name the scenario's `field`.

        Raises:
            InputError: there is no such node, or no link joins the two.
        """
        wanted = {_number(name, self.names, field) for name in ends}
        for number, fibre in enumerate(self.links):
            if {fibre.start, fibre.end} == wanted:
                return number
        pairs = [f"{self.names[fibre.start]}-{self.names[fibre.end]}" for fibre in self.links]
        raise InputError(f"{field}: no link joins {ends[0]} and {ends[1]}; the links are {_listed(pairs)}")


def key_layout(topology: KeyTopology, sites: Sequence[PlacedSite]) -> KeyLayout:
    """Return the layout of a scenario's key topology over its placed sites.

    A fibre's length is its own `length_km`, or the straight distance times `detour`; at least a metre. Two links
    between the same nodes are refused: a pair of nodes has one pool.

    Raises:
        InputError: two nodes have one name, a link names an unknown node, two links join the same nodes, or some node
            is not connected to the others.
    """
    names = (*(site.name for site in sites), *(node.name for node in topology.nodes))
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InputError(f"keys.topology.nodes: two nodes are named {name}, sites counted; rename one")
    places = [(site.x_m, site.y_m) for site in sites] + [(node.x_m, node.y_m) for node in topology.nodes]
    xy_m = np.array(places, np.float64)
    pairs = _shaped(topology, xy_m, len(sites)) if topology.links is None else _joined_pairs(topology, names)
    _refuse_islands(pairs, names)
    given_km = [None] * len(pairs) if topology.links is None else [link.length_km for link in topology.links]
    straight_m = [float(np.hypot(*(xy_m[start] - xy_m[end]))) for start, end in pairs]
    links = tuple(
        Fibre(start, end, max(SHORTEST_KM, distance_m * topology.detour / 1000.0 if length_km is None else length_km))
        for (start, end), distance_m, length_km in zip(pairs, straight_m, given_km, strict=True)
    )
    return KeyLayout(names, len(sites), xy_m, links)


def _shaped(topology: KeyTopology, xy_m: FloatArray, sites: int) -> list[tuple[int, int]]:
    """Return links in the topology's shape: over its stand-alone nodes, with each site joined to the nearest one.

    Without stand-alone nodes the shape is laid over the sites themselves.
    """
    if not topology.nodes:
        return _shape(topology, xy_m, 0)
    nodes_m = xy_m[sites:]
    hung = [(site, sites + int(_distances_m(nodes_m, xy_m[site]).argmin())) for site in range(sites)]
    return hung + _shape(topology, nodes_m, sites)


def _shape(topology: KeyTopology, xy_m: FloatArray, first: int) -> list[tuple[int, int]]:
    """Return links in the topology's shape between nodes at these positions, numbered from `first`."""
    count = len(xy_m)
    if count < 2:
        return []
    match topology.shape:
        case "ring":
            order = _around(xy_m)
            pairs = [(order[k - 1], order[k]) for k in range(1, count)]
            pairs += [(order[-1], order[0])] if count > 2 else []
        case "mesh":
            pairs = list(mesh_wires(xy_m, topology.neighbours))
        case "star":
            hub = int(_distances_m(xy_m, xy_m.mean(axis=0)).argmin())
            pairs = [(hub, node) for node in range(count) if node != hub]
    return sorted((first + min(pair), first + max(pair)) for pair in pairs)


def _around(xy_m: FloatArray) -> list[int]:
    """Return the nodes ordered by their angle around the centroid, then by number."""
    middle_m = xy_m.mean(axis=0)
    angles = [atan2(y_m - middle_m[1], x_m - middle_m[0]) for x_m, y_m in xy_m.tolist()]
    return sorted(range(len(xy_m)), key=lambda node: (angles[node], node))


def _distances_m(xy_m: FloatArray, place_m: FloatArray) -> FloatArray:
    distances_m: FloatArray = np.hypot(xy_m[:, 0] - place_m[0], xy_m[:, 1] - place_m[1])
    return distances_m


def nearest_sites(layout: KeyLayout, xy_m: FloatArray) -> IntArray:
    """Return the number of the site nearest to each position, (V, 2) -> (V,); ties go to the lower number."""
    sites_m = layout.xy_m[: layout.sites]
    squares: FloatArray = ((xy_m[:, None, :] - sites_m[None, :, :]) ** 2).sum(axis=2)
    nearest: IntArray = squares.argmin(axis=1)
    return nearest


def _joined_pairs(topology: KeyTopology, names: tuple[str, ...]) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for k, link in enumerate(topology.links or ()):
        field = f"keys.topology.links[{k}].ends"
        start, end = (_number(name, names, field) for name in link.ends)
        pair = min(start, end), max(start, end)
        if pair in pairs:
            raise InputError(
                f"{field}: {link.ends[0]} and {link.ends[1]} are joined already; drop one of the two links"
            )
        pairs.append(pair)
    return pairs


def _number(name: str, names: tuple[str, ...], field: str) -> int:
    if name not in names:
        raise InputError(f"{field}: no node or site is named {name}; there are {_listed(names)}")
    return names.index(name)


def _refuse_islands(pairs: list[tuple[int, int]], names: tuple[str, ...]) -> None:
    graph = nx.Graph()
    graph.add_nodes_from(range(len(names)))
    graph.add_edges_from(pairs)
    reached = nx.node_connected_component(graph, 0)
    for node, name in enumerate(names):
        if node not in reached:
            raise InputError(f"keys.topology.links: no links lead from {names[0]} to {name}; add one")


def _listed(names: Sequence[str]) -> str:
    """Return the names for a message, at most eight of them."""
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "none"
