"""Sites, core switch and cloud as a graph of wires.

Nodes are site numbers 0..S-1, then the cloud if there is one, then the core switch of a star. Each edge carries
`latency_s` and `bandwidth_bps`, the same in both directions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import networkx as nx
import numpy as np
from scipy.spatial import cKDTree

from cosim.scenario.schema import Backhaul, Cloud
from cosim.types import FloatArray, IntArray, read_only


@dataclass(frozen=True)
class Topology:
    """The wired network. Not slotted, because tables are computed once, when they are first used."""

    graph: nx.Graph
    """Undirected graph; each edge has `latency_s` in s and `bandwidth_bps` in bit/s."""
    sites: int
    """Number of sites."""
    cloud: int | None
    """Node number of the cloud; None without one."""

    def route(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the hops (node, node) of the path of least latency."""
        return list(pairwise(self._paths[start][end]))

    @cached_property
    def latency_s(self) -> FloatArray:  # (nodes, nodes)
        """One-way latency between all nodes in s."""
        return self._along_routes(lambda wire: wire["latency_s"])

    @cached_property
    def per_bit_s(self) -> FloatArray:  # (nodes, nodes)
        """Time in s that each bit adds on the way between two nodes: hops store and forward."""
        return self._along_routes(lambda wire: 1.0 / wire["bandwidth_bps"])

    @cached_property
    def hops(self) -> FloatArray:  # (nodes, nodes)
        """Number of wires on the way between two nodes."""
        return self._along_routes(lambda _wire: 1.0)

    @cached_property
    def _paths(self) -> dict[int, dict[int, list[int]]]:
        return dict(nx.all_pairs_dijkstra_path(self.graph, weight="latency_s"))

    def _along_routes(self, value: Callable[[Mapping[str, float]], float]) -> FloatArray:
        total = np.zeros((len(self.graph), len(self.graph)))
        adjacent = self.graph.adj
        for start, routes in self._paths.items():
            so_far = dict.fromkeys(routes, 0.0)
            for path in sorted(routes.values(), key=len):  # all but the last hop of a path is the path to that node
                if len(path) > 1:
                    before, end = path[-2:]
                    so_far[end] = so_far[before] + value(adjacent[before][end])
            total[start, list(so_far)] = list(so_far.values())
        return read_only(total)


def build_topology(xy_m: FloatArray, backhaul: Backhaul, cloud: Cloud | None) -> Topology:
    """Return the wired network of the sites.

        >>> import numpy as np
        >>> from cosim.scenario.hosts import Backhaul
        >>> star = build_topology(np.array([[0.0, 0.0], [500.0, 0.0]]), Backhaul(kind="star"), None)
        >>> star.route(0, 1)  # over the core switch, node 2
        [(0, 2), (2, 1)]

    Args:
        xy_m: (S, 2) positions of the sites in m.
        backhaul: star (each site has a wire to a core switch) or mesh (wires to near neighbours; clusters that are left
            apart are joined by the shortest wire between them).
        cloud: attached to the core of a star, or to the mesh's most central site; None: no cloud.
    """
    count = len(xy_m)
    graph = nx.Graph()
    graph.add_nodes_from(range(count))
    wire = {"latency_s": backhaul.latency_s, "bandwidth_bps": backhaul.bandwidth_bps}
    cloud_node = count if cloud is not None else None
    gate = 0
    if backhaul.kind == "star":
        gate = count + (cloud is not None)
        graph.add_edges_from(((site, gate) for site in range(count)), **wire)
    else:
        graph.add_edges_from(mesh_wires(xy_m, backhaul.neighbours), **wire)
        gate = int(np.argmin(((xy_m - xy_m.mean(axis=0)) ** 2).sum(axis=1)))
    if cloud is not None and cloud_node is not None:
        graph.add_edge(gate, cloud_node, latency_s=cloud.latency_s, bandwidth_bps=cloud.bandwidth_bps)
    return Topology(graph, count, cloud_node)


def mesh_wires(xy_m: FloatArray, neighbours: int) -> Sequence[tuple[int, int]]:
    """Return wires (site, site) to the nearest neighbours of each site, ascending.

    Clusters that are left apart are joined by the shortest gap between them.
    """
    count = len(xy_m)
    if count == 1:
        return []
    graph = nx.Graph()
    graph.add_nodes_from(range(count))
    near: IntArray = np.asarray(cKDTree(xy_m).query(xy_m, k=list(range(1, min(neighbours + 1, count) + 1)))[1])
    graph.add_edges_from((site, int(other)) for site in range(count) for other in near[site] if int(other) != site)
    while not nx.is_connected(graph):
        first, *rest = (sorted(part) for part in nx.connected_components(graph))
        others = np.concatenate(rest)
        gaps = ((xy_m[first][:, None, :] - xy_m[others][None, :, :]) ** 2).sum(axis=2)
        row, column = np.unravel_index(int(np.argmin(gaps)), gaps.shape)
        graph.add_edge(first[int(row)], int(others[int(column)]))
    return sorted(tuple(sorted(edge)) for edge in graph.edges)
