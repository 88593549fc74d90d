"""The connected parts of a road net."""

from collections import defaultdict
from dataclasses import dataclass

from cosim.roads.net import RoadNet


@dataclass(frozen=True, slots=True)
class ConnectedPart:
    """Edges for cars that junctions connect, whatever their direction."""

    edges: tuple[str, ...]
    length_m: float


def connected_parts(roads: RoadNet) -> tuple[ConnectedPart, ...]:
    """Return the connected parts of a net, longest first."""
    parent: dict[str, str] = {}

    def root(junction: str) -> str:
        parent.setdefault(junction, junction)
        while parent[junction] != junction:
            parent[junction] = junction = parent[parent[junction]]
        return junction

    for edge in roads.edges:
        parent[root(edge.from_junction)] = root(edge.to_junction)
    edges = defaultdict(list)
    for edge in roads.edges:
        edges[root(edge.from_junction)].append(edge)
    parts = [ConnectedPart(tuple(e.edge_id for e in part), sum(e.length_m for e in part)) for part in edges.values()]
    return tuple(sorted(parts, key=lambda part: (-part.length_m, part.edges)))
