"""The units of recorded positions, told by whether vehicles move as far as their speeds say; degrees are projected."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from cosim.mobility.foreign import FcdTable
from cosim.roads.projection import LocalProjection, Projection, local_projection, read_projection
from cosim.types import BoolArray, FloatArray

NOT_MOVING: Final = "taken as metres: no vehicle moves, so that nothing tells the unit"
FARTHEST_KM: Final = 500.0
_EARTH_M = 6_371_008.8
_DEGREE_M = 111_195.0
_SMALL_DEG = 1e-5
_MOVING_MPS = 1.0
_WATCHED_S = 10.0
"""Two rows further apart tell little: roads bend and speeds change between them."""
_TINY = 0.02
"""Degrees taken as metres move 1e-5 times as far as their speeds say; with few decimals seemingly more."""
_FEWEST_DECIMALS = 5
_MANY = 20
"""Pairs of rows that make the movement certain."""
_GUESSES: Final = (
    (3.2808, "positions are in feet"),
    (100.0, "positions are in cm"),
    (1000.0, "positions are in mm"),
    (0.001, "positions are in km"),
    (1.0 / 3.6, "speeds are in km/h"),
    (0.44704, "speeds are in mph"),
    (0.51444, "speeds are in knots"),
    (3.2808 * 0.44704, "positions are in feet and speeds in mph"),
    (3.2808 / 3.6, "positions are in feet and speeds in km/h"),
)
_NEAR = 0.05


@dataclass(frozen=True, slots=True)
class Steps:
    """Pairs of successive rows of vehicles that move."""

    first: FloatArray
    """(P, 2) positions as given."""
    second: FloatArray
    """(P, 2) positions as given."""
    expected_m: FloatArray
    """(P,) distance by the speeds."""
    apart_s: FloatArray
    heading_deg: FloatArray
    """(P,) as given."""

    def ratio(self, moved_m: FloatArray) -> float:
        """Return the usual share of the distance by the speeds that the positions moved; NaN without pairs."""
        return float(np.median(moved_m / self.expected_m)) if len(moved_m) else float("nan")


def in_metres(table: FcdTable, net: Path | None) -> tuple[FcdTable, Projection | LocalProjection | None, str]:
    """Return a table in metres, the projection if it was in degrees, and a remark, empty if there is none.

    Longitude in x and latitude in y, as SUMO's --fcd-output.geo has them, are recognised by vehicles that move about
    1e-5 times as far as their speeds say, and exactly as far on the globe.

    Args:
        table: rows in the unit of their file.
        net: net on which the vehicles drive, whose projection is taken; None: a local one.

    Raises:
        ValueError: the rows are neither in metres nor in degrees, or not in m/s.
        InputError: they are in degrees, and the net has no UTM.
    """
    steps = _steps(table)
    x, y = table.x_m[table.vehicle >= 0], table.y_m[table.vehicle >= 0]
    moved = np.hypot(*(steps.second - steps.first).T)
    likely = _like_degrees(x, y)
    if not len(moved):
        if likely and _decimals(x, y) >= _FEWEST_DECIMALS:
            return _projected(table, net, "degrees by their decimals; no vehicle moves")
        return table, None, NOT_MOVING
    ratio = steps.ratio(moved)
    # The total tells degrees of few decimals, which rest and then leap.
    whole = moved < 180.0  # more is a step over the antimeridian, if these are degrees
    total = float(np.minimum(moved, 20.0 * steps.expected_m)[whole].sum() / steps.expected_m.sum())
    frozen = not moved.any() and (len(moved) < _MANY or _decimals(x, y) == 0)  # as likely a car that stands in m
    if likely and not frozen and max(ratio, total) < _TINY:
        return _degrees(table, steps, net)
    return table, None, _checked_units(ratio, steps, "m")


def movement_ratio(table: FcdTable) -> float:
    """Return how many times as far as their speeds say vehicles move; NaN if none moves within 10 s."""
    steps = _steps(table)
    return steps.ratio(np.hypot(*(steps.second - steps.first).T))


def grid_north_deg(projection: Projection | LocalProjection, lat: FloatArray, lon: FloatArray) -> FloatArray:
    """Return the direction (N,) of true north at positions (N,), clockwise from the y axis.

    Args:
        projection: that of the positions.
        lat: latitudes in degrees.
        lon: longitudes in degrees.
    """
    north_m = projection.all_xy_m(lat, lon) - projection.all_xy_m(lat - _SMALL_DEG, lon)
    return np.degrees(np.arctan2(north_m[:, 0], north_m[:, 1]))


def geographic(lat: FloatArray, lon: FloatArray, net: Path | None) -> Projection | LocalProjection:
    """Return the projection for positions (N,) in degrees.

    Args:
        lat: latitudes.
        lon: longitudes.
        net: net on which the vehicles drive, whose projection is taken; None: a local one.

    Raises:
        ValueError: they are no latitudes and longitudes, or lie too far apart.
        InputError: the net has no UTM.
    """
    if np.abs(lat).max() > 90.0 or np.abs(lon).max() > 360.0:
        swapped = np.abs(lon).max() <= 90.0 and np.abs(lat).max() <= 360.0
        remedy = "swap them" if swapped else "correct them"
        raise ValueError(f"latitude {lat[np.abs(lat).argmax()]:g} or longitude {lon[np.abs(lon).argmax()]:g}; {remedy}")
    local = local_projection(lat, lon)
    size_m = np.ptp(local.all_xy_m(lat, lon), axis=0).max()
    if not size_m <= FARTHEST_KM * 1000.0:
        raise ValueError(f"positions lie {size_m / 1000.0:.0f} km apart, not in one region; keep those of one")
    return local if net is None else read_projection(net)


def _steps(table: FcdTable) -> Steps:
    order = np.lexsort((table.time_s, table.vehicle))
    order = order[table.vehicle[order] >= 0]
    first, second = order[:-1], order[1:]
    apart_s = table.time_s[second] - table.time_s[first]
    speed_mps = (table.speed_mps[first] + table.speed_mps[second]) / 2.0
    kept: BoolArray = (table.vehicle[first] == table.vehicle[second]) & (apart_s > 0)
    kept &= (np.minimum(table.speed_mps[first], table.speed_mps[second]) > _MOVING_MPS) & (apart_s <= _WATCHED_S)
    first, second, apart_s = first[kept], second[kept], apart_s[kept]
    places = np.column_stack((table.x_m, table.y_m))
    return Steps(places[first], places[second], speed_mps[kept] * apart_s, apart_s, table.heading_deg[second])


def _like_degrees(x: FloatArray, y: FloatArray) -> bool:
    """Return whether values may be longitudes and latitudes, in one order or the other, of one region."""
    if not len(x):
        return False
    small, large = sorted((np.abs(x).max(), np.abs(y).max()))
    return bool(small <= 90.0 and large <= 360.0)


def _degrees(table: FcdTable, steps: Steps, net: Path | None) -> tuple[FcdTable, Projection | LocalProjection, str]:
    decimals = _decimals(steps.first[:, 0], steps.first[:, 1])
    if decimals < _FEWEST_DECIMALS:
        raise ValueError(
            f"positions seem to be degrees with {decimals} decimals, {_DEGREE_M / 10**decimals:.3g} m apart, too few "
            "for vehicles; write at least 6 (SUMO: --precision.geo 6), or x and y in m"
        )
    ratios, turns = [], []
    for lon, lat in ((0, 1), (1, 0)):
        if np.abs(np.concatenate((steps.first[:, lat], steps.second[:, lat]))).max() > 90.0:
            ratios.append(float("nan"))
            turns.append(-1.0)
            continue
        east_m, north_m = _moved_m(steps.first[:, [lon, lat]], steps.second[:, [lon, lat]])
        ratios.append(steps.ratio(np.hypot(east_m, north_m)))
        turns.append(float(np.mean(np.cos(np.arctan2(east_m, north_m) - np.radians(steps.heading_deg)))))
    if turns[1] > turns[0]:
        raise ValueError("x seems to hold latitudes and y longitudes; swap them")
    if remark := _checked_units(ratios[0], steps, "degrees"):
        raise ValueError(f"{remark}; write x, y in m or degrees, and speed in m/s")
    return _projected(table, net, "")


def _moved_m(first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how far east and north the second positions (P, 2), longitude and latitude, lie of the first."""
    lon_deg = (second[:, 0] - first[:, 0] + 180.0) % 360.0 - 180.0
    east_m = np.radians(lon_deg) * np.cos(np.radians((first[:, 1] + second[:, 1]) / 2.0)) * _EARTH_M
    return east_m, np.radians(second[:, 1] - first[:, 1]) * _EARTH_M


def _projected(table: FcdTable, net: Path | None, remark: str) -> tuple[FcdTable, Projection | LocalProjection, str]:
    real = table.vehicle >= 0
    projection = geographic(table.y_m[real], table.x_m[real], net)
    xy_m = np.full((len(real), 2), np.nan)
    xy_m[real] = projection.all_xy_m(table.y_m[real], table.x_m[real])
    return replace(table, x_m=xy_m[:, 0], y_m=xy_m[:, 1]), projection, remark


def _checked_units(ratio: float, steps: Steps, unit: str) -> str:
    """Return a remark unless vehicles move about as far as their speeds say, the nearer the denser the rows.

    Raises:
        ValueError: they move as far as in another unit.
    """
    low, high = (0.8, 1.25) if np.median(steps.apart_s) <= 2.0 and len(steps.apart_s) >= _MANY else (0.5, 2.0)
    if low <= ratio <= high:
        return ""
    told = f"taken as {unit}, positions move {ratio:.3g} times as far as the speeds say"
    for factor, guess in _GUESSES:
        if abs(ratio / factor - 1.0) < _NEAR:
            raise ValueError(f"{told}, as if {guess}; write x, y in m or degrees, and speed in m/s")
    return told


def _decimals(x: FloatArray, y: FloatArray) -> int:
    """Return the number of decimals, at most 9, with which values are written."""
    values = np.concatenate((x, y))
    for decimals in range(9):
        shifted = values * 10.0**decimals
        if (np.abs(shifted - np.rint(shifted)) < 1e-4).all():
            return decimals
    return 9
