"""A map as it is drawn: its title and its roads as simplified lines, and the file of a run folder that holds them.

The lines deviate from the net's by no more than `detail_m`, which is 0.1 m unless the file would be too large: then it
doubles until the file fits. Corners are whole multiples of half of it; corners that are not needed for that are left
out, and so are lines that come to lie on another or shrink to a point.
"""

import gzip
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cosim.types import FloatArray, IntArray

GROUND: Final = "ground.json.gz"
"""Name of the file in a run folder."""
MOST_BYTE: Final = 900_000
"""Most bytes of the file, on which the detail of its lines depends."""
_FORMAT: Final = 1
_DETAIL_M: Final = 0.1


@dataclass(frozen=True, slots=True)
class DrawnMap:
    """The title of a map, and its roads as lines."""

    title: str
    """What the map is called."""
    roads_m: tuple[FloatArray, ...]
    """(K, 2) corners of each line; none for a map of recorded vehicles alone."""
    detail_m: float = _DETAIL_M
    """Largest distance between a line and the road that it stands for."""


def pack_map(title: str, roads_m: Sequence[FloatArray], most_byte: int = MOST_BYTE) -> bytes:
    """Return the file that holds a map, simplified until it fits; the same bytes for the same map.

        >>> packed = pack_map("town", [np.array([(0.0, 0.0), (40.0, 0.01), (80.0, 0.0)])])
        >>> unpack_map(packed).roads_m[0].tolist()
        [[0.0, 0.0], [80.0, 0.0]]

    Args:
        title: what the map is called.
        roads_m: (K, 2) corners of each road.
        most_byte: size of the file that it must not exceed.
    """
    usable = [road_m for road_m in roads_m if len(road_m) > 1 and np.isfinite(road_m).all()]
    corners_m = np.concatenate([*usable, np.zeros((0, 2))])
    number = np.repeat(np.arange(len(usable)), [len(road_m) for road_m in usable])
    weights_m = np.concatenate([*map(_weights_m, usable), np.zeros(0)])
    detail_m = _DETAIL_M
    while True:
        lines = _on_lattice(corners_m, number, weights_m, detail_m)
        content = _file(title, lines, detail_m)
        if len(content) <= most_byte or not lines:
            return content
        detail_m *= 2.0


def unpack_map(content: bytes) -> DrawnMap:
    """Return the map in a file.

    Raises:
        ValueError: the file holds none.
    """
    try:
        data = json.loads(gzip.decompress(content))
        if data["format"] != _FORMAT:
            raise ValueError(f"format {data['format']!r}")
        title, detail_m = str(data["title"]), float(data["detail_m"])
        lengths = np.array(data["length"], np.int64)
        corners = np.cumsum(np.array([data["dx"], data["dy"]], np.int64).T, axis=0) * (detail_m / 2.0)
        if lengths.sum() != len(corners) or (lengths < 2).any():
            raise ValueError("lengths are not those of the corners")
    except (OSError, EOFError, zlib.error, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error
    return DrawnMap(title, tuple(np.split(corners, np.cumsum(lengths)[:-1])) if len(lengths) else (), detail_m)


def simplified(road_m: FloatArray, within_m: float) -> FloatArray:
    """Return the road without the corners that lie within a distance of the line through the others.

    The method of Ramer, Douglas and Peucker: the corner farthest from the chord is kept if it is farther than that, and
    then both halves are treated alike.

    Args:
        road_m: (K, 2) corners, at least two.
        within_m: largest distance between the road and the result.
    """
    kept: FloatArray = road_m[_weights_m(road_m) > within_m]
    return kept


def _weights_m(road_m: FloatArray) -> FloatArray:
    """Return for each corner the distance from which on it is left out, (K,); the ends stay always."""
    weights = np.full(len(road_m), np.inf)
    waiting = [(0, len(road_m) - 1, np.inf)]
    while waiting:
        first, last, above_m = waiting.pop()
        if last - first < 2:
            continue
        away_m = _from_chord(road_m[first : last + 1])
        place = int(away_m[1:-1].argmax()) + 1
        weights[first + place] = above_m = min(above_m, float(away_m[place]))
        waiting += [(first, first + place, above_m), (first + place, last, above_m)]
    return weights


def _from_chord(points: FloatArray) -> FloatArray:
    """Return the distance of each point to the line between the first and the last, (K,)."""
    start, along = points[0], points[-1] - points[0]
    squared = float(along @ along)
    part = np.clip((points - start) @ along / squared, 0.0, 1.0) if squared else np.zeros(len(points))
    away: FloatArray = np.hypot(*(points - start - part[:, None] * along).T)
    return away


def _on_lattice(roads_m: FloatArray, number: IntArray, weights_m: FloatArray, detail_m: float) -> list[IntArray]:
    """Return simplified lines in units of half the detail, each once, whatever its direction.

    Half of the detail goes to the corners left out, at most 0.36 of it to rounding.

    Args:
        roads_m: (C, 2) corners of all roads, one road after the other.
        number: (C,) number of the road of each corner.
        weights_m: (C,) distance from which on each corner is left out.
        detail_m: largest distance between a line and its road.
    """
    kept = weights_m > detail_m / 2.0
    corners: IntArray = np.rint(roads_m[kept] / (detail_m / 2.0)).astype(np.int64)
    number = number[kept]
    same = np.zeros(len(corners), np.bool_)  # as the corner before
    same[1:] = (np.diff(corners, axis=0) == 0).all(axis=1) & (np.diff(number) == 0)
    corners, number = corners[~same], number[~same]
    found: dict[bytes, IntArray] = {}
    for line in np.split(corners, np.flatnonzero(np.diff(number)) + 1):
        if len(line) > 1 and np.ascontiguousarray(line[::-1]).tobytes() not in found:
            found.setdefault(line.tobytes(), line)
    return list(found.values())


def _file(title: str, lines: Sequence[IntArray], detail_m: float) -> bytes:
    corners = np.concatenate([*lines, np.zeros((0, 2), np.int64)])
    steps = np.diff(corners, axis=0, prepend=np.zeros((1, 2), np.int64))
    data = {
        "format": _FORMAT,
        "title": title,
        "detail_m": detail_m,
        "length": [len(line) for line in lines],
        "dx": steps[:, 0].tolist(),
        "dy": steps[:, 1].tolist(),
    }
    return gzip.compress(json.dumps(data, separators=(",", ":")).encode(), 9, mtime=0)
