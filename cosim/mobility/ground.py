"""The map under a run: its roads as lines, and the rectangle that holds roads and sites."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from cosim.errors import InputError
from cosim.mobility.catalog import net_of, resolve_map
from cosim.roads.net import read_net
from cosim.scenario.schema import ReplayMobility, Scenario, SyntheticMobility
from cosim.types import FloatArray

_ELONGATED: Final = 3.0
_MARGIN: Final = (0.03, 0.12)  # of a map, and of one that is stretched
_COLUMNS: Final = (24.0, 80.0)


@dataclass(frozen=True, slots=True)
class Ground:
    """Roads as lines, and the corners of the rectangle that is drawn."""

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


def ground(scenario: Scenario, sites: pd.DataFrame, folder: Path) -> Ground:
    """Return the roads of the scenario's map or of its synthetic roads; none if a replay names no map.

    Args:
        scenario: scenario of the run.
        sites: x_m and y_m of the sites.
        folder: folder to which the path of the map is relative.
    """
    roads_m = _roads(scenario, folder)
    points = np.concatenate([sites[["x_m", "y_m"]].to_numpy(np.float64), *roads_m, np.zeros((0, 2))])
    if not len(points):
        points = np.zeros((1, 2))
    low_m, high_m = points.min(axis=0), points.max(axis=0)
    size_m = np.maximum(high_m - low_m, 20.0)
    margin = np.where(size_m * _ELONGATED < size_m.max(), _MARGIN[1], _MARGIN[0])
    middle_m, half_m = (low_m + high_m) / 2.0, size_m * (0.5 + margin)
    return Ground(roads_m, middle_m - half_m, middle_m + half_m)


def _roads(scenario: Scenario, folder: Path) -> tuple[FloatArray, ...]:
    match scenario.mobility:
        case SyntheticMobility(roads=roads, length_m=length_m, spacing_m=spacing_m):
            return tuple(np.array([(0.0, k * spacing_m), (length_m, k * spacing_m)]) for k in range(roads))
        case ReplayMobility() if scenario.map == "synthetic":
            return ()
    try:
        return tuple(edge.shape_m for edge in read_net(net_of(resolve_map(scenario.map, folder))).edges)
    except InputError:
        return ()  # an old run whose map has moved is drawn without it
