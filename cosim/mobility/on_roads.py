"""Whether recorded vehicles are on the roads of the map on which they are replayed."""

from pathlib import Path
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from cosim.roads.net import Bounds, read_net
from cosim.types import FloatArray

_MARGIN_M: Final = 100.0
_BESIDE_M: Final = 50.0
"""Distance from the first lane of a road that still counts as on it: wide roads and junctions."""
_POINT_M: Final = 10.0
_SAMPLED: Final = 2000
_FEW: Final = 0.5
_MOST: Final = 0.95


def refuse_elsewhere(xy_m: FloatArray, bounds_m: Bounds) -> None:
    """Raise an error if most positions (N, 2) lie outside the bounds of a map.

    Raises:
        ValueError: they do.
    """
    if not len(xy_m):
        return
    low, high = np.array(bounds_m[:2]) - _MARGIN_M, np.array(bounds_m[2:]) + _MARGIN_M
    if np.mean(((xy_m >= low) & (xy_m <= high)).all(axis=1)) >= _FEW:
        return
    (left, bottom), (right, top) = xy_m.min(axis=0), xy_m.max(axis=0)
    x0, y0, x1, y1 = bounds_m
    raise ValueError(
        f"its vehicles, x {left:.0f}..{right:.0f}, y {bottom:.0f}..{top:.0f} m, are not on this map, "
        f"x {x0:.0f}..{x1:.0f}, y {y0:.0f}..{y1:.0f} m; name the map of the recording, or map: synthetic for none"
    )


def off_roads(xy_m: FloatArray, net: Path) -> str:
    """Return a remark if many of the positions (N, 2) are more than 50 m away from every road of a net, else "".

    Raises:
        ValueError: more than half of them are.
    """
    shapes = [edge.shape_m for edge in read_net(net).edges]
    if not len(xy_m) or not shapes:
        return ""
    chosen = xy_m[np.linspace(0, len(xy_m) - 1, min(_SAMPLED, len(xy_m))).astype(np.int64)]
    roads = cKDTree(np.concatenate([_points(shape_m) for shape_m in shapes]))
    share = float(np.mean(roads.query(chosen)[0] <= _BESIDE_M))
    if share < _FEW:
        raise ValueError(
            f"{100.0 * (1.0 - share):.0f} % of its positions are more than {_BESIDE_M:g} m away from the roads of this "
            "map; name the map of the recording, or map: synthetic for none"
        )
    return "" if share >= _MOST else f"{100.0 * (1.0 - share):.0f} % of positions are off the map's roads"


def _points(shape_m: FloatArray) -> FloatArray:
    """Return points at most 10 m apart along a polyline."""
    along = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(shape_m, axis=0).T))))
    wanted = np.linspace(0.0, along[-1], max(2, int(np.ceil(along[-1] / _POINT_M)) + 1))
    return np.column_stack([np.interp(wanted, along, shape_m[:, axis]) for axis in (0, 1)])
