"""The map under a run: what it is called, its roads as lines, and the rectangle that holds all that is drawn."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cosim.mobility.catalog import list_maps, resolve_map
from cosim.mobility.connect import NO_MAP
from cosim.roads.drawn import DrawnMap
from cosim.roads.net import read_net
from cosim.scenario.schema import ReplayMobility, Scenario, SyntheticMobility
from cosim.types import FloatArray

_ELONGATED: Final = 3.0
_MARGIN: Final = (0.03, 0.12)  # of a map, and of one that is stretched
_COLUMNS: Final = (24.0, 80.0)


@dataclass(frozen=True, slots=True)
class Ground:
    """Roads as lines, and the corners of the rectangle that is drawn."""

    title: str  # of the map
    roads_m: tuple[FloatArray, ...]  # (K, 2) each
    low_m: FloatArray  # (2,)
    high_m: FloatArray  # (2,)

    @property
    def stretched(self) -> bool:
        """Whether the map is so long and narrow that each axis needs its own scale."""
        size_m = self.high_m - self.low_m
        return bool(size_m.max() > _ELONGATED * size_m.min())

    @property
    def aspect(self) -> float:
        """Width over height of the map, as drawn."""
        width_m, height_m = self.high_m - self.low_m
        return 1.3 if self.stretched else float(width_m / height_m)

    def cell_m(self, points: int) -> tuple[float, float]:
        """Return width and height of a lattice whose hexagons look regular and are finer for more points."""
        columns = min(max(np.sqrt(points) / 4.0, _COLUMNS[0]), _COLUMNS[1])
        size_m = self.high_m - self.low_m
        width_m, height_m = size_m if self.stretched else (size_m.max(), size_m.max())
        return float(width_m / columns), float(np.sqrt(3.0) * height_m / columns)


def ground(under: DrawnMap, points_m: FloatArray) -> Ground:
    """Return a map with the rectangle around its roads and some points, with a margin.

    Args:
        under: the map.
        points_m: (N, 2) positions of sites and whatever else is drawn.
    """
    points = np.concatenate([points_m, *under.roads_m, np.zeros((0, 2))])
    if not len(points):
        points = np.zeros((1, 2))
    low_m, high_m = points.min(axis=0), points.max(axis=0)
    size_m = np.maximum(high_m - low_m, 20.0)
    margin = np.where(size_m * _ELONGATED < size_m.max(), _MARGIN[1], _MARGIN[0])
    middle_m, half_m = (low_m + high_m) / 2.0, size_m * (0.5 + margin)
    return Ground(under.title, under.roads_m, middle_m - half_m, middle_m + half_m)


def map_of(scenario: Scenario, folder: Path) -> DrawnMap:
    """Return the map of a scenario, or its synthetic roads; a map of recorded vehicles alone has no roads.

    Args:
        scenario: the scenario.
        folder: folder to which the path of the map is relative.

    Raises:
        InputError: there is no such map, or it is broken.
    """
    match scenario.mobility:
        case SyntheticMobility(roads=roads, length_m=length_m, spacing_m=spacing_m):
            lines = [np.array([(0.0, k * spacing_m), (length_m, k * spacing_m)]) for k in range(roads)]
            return DrawnMap("straight roads", tuple(lines))
        case ReplayMobility(file=file) if scenario.map == NO_MAP:
            return DrawnMap("recorded traffic" if file is None else Path(file).name, ())
    net = resolve_map(scenario.map, folder).net
    roads_m = () if net is None else tuple(edge.shape_m for edge in read_net(net).edges)
    return DrawnMap(_title(scenario.map, folder), roads_m)


def _title(name: str, folder: Path) -> str:
    """Return a map's name in the catalog, or that of its folder, whatever path leads there."""
    if name in [entry.name for entry in list_maps()]:
        return name
    return (folder / name).resolve().name or name
