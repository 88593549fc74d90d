"""Latitude and longitude in metres: the UTM of a SUMO net, and a transverse Mercator for positions without a net."""

import re
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np

from cosim.errors import InputError
from cosim.roads.xmlscan import scan_xml
from cosim.types import FloatArray

_AXIS_M, _FLATTENING = 6_378_137.0, 1.0 / 298.257223563  # WGS 84
_N = _FLATTENING / (2.0 - _FLATTENING)
_RADIUS_M = _AXIS_M / (1.0 + _N) * (1.0 + _N**2 / 4.0 + _N**4 / 64.0)
_ALPHA = (
    _N / 2.0 - 2.0 * _N**2 / 3.0 + 5.0 * _N**3 / 16.0,
    13.0 * _N**2 / 48.0 - 3.0 * _N**3 / 5.0,
    61.0 * _N**3 / 240.0,
)
_UTM_SCALE = 0.9996
_UTM = re.compile(r"\+proj=utm\s.*?\+zone=(\d+)")


@dataclass(frozen=True, slots=True)
class Projection:
    """UTM of a zone, shifted to the net's origin."""

    zone: int
    """UTM zone, 1 to 60."""
    south: bool
    """Whether the net lies in the southern hemisphere, with false northing."""
    offset_m: tuple[float, float]
    """The net's netOffset."""

    def xy_m(self, lat: float, lon: float) -> tuple[float, float]:
        """Return the position on the net in m, within 1 mm inside the zone (Krueger's series to the third order)."""
        x_m, y_m = self.all_xy_m(np.array([lat]), np.array([lon])).T
        return float(x_m[0]), float(y_m[0])

    def all_xy_m(self, lat: FloatArray, lon: FloatArray) -> FloatArray:
        """Return the positions (N, 2) of latitudes and longitudes (N,)."""
        east_m, north_m = _krueger_m(lat, lon, 6.0 * self.zone - 183.0)
        south_m = 1e7 if self.south else 0.0
        x_m = 500_000.0 + _UTM_SCALE * east_m + self.offset_m[0]
        return np.column_stack((x_m, _UTM_SCALE * north_m + south_m + self.offset_m[1]))

    def __str__(self) -> str:
        south = " +south" if self.south else ""
        x_m, y_m = self.offset_m
        return f"the net's UTM, +proj=utm +zone={self.zone}{south} +ellps=WGS84, shifted by {x_m:.2f},{y_m:.2f} m"


@dataclass(frozen=True, slots=True)
class LocalProjection:
    """Transverse Mercator of scale 1 on a meridian through the positions themselves, with its origin beside them.

    It has no zones, so that the antimeridian and the poles are places like others. At d metres east or west of the
    meridian lengths are too long by d^2 / (2 R^2): 1.2e-6 at 10 km, 0.0012 at 313 km.
    """

    lon_deg: float
    """The meridian."""
    offset_m: tuple[float, float]
    """Added to easting and northing."""

    def all_xy_m(self, lat: FloatArray, lon: FloatArray) -> FloatArray:
        """Return the positions (N, 2) of latitudes and longitudes (N,)."""
        return np.column_stack(_krueger_m(lat, lon, self.lon_deg)) + self.offset_m

    def excess(self, xy_m: FloatArray) -> float:
        """Return by which share lengths are at most too long at positions (N, 2)."""
        away_m = np.abs(xy_m[:, 0] - self.offset_m[0]).max(initial=0.0)
        return float(away_m**2 / (2.0 * _RADIUS_M**2))

    def __str__(self) -> str:
        x_m, y_m = self.offset_m
        return f"+proj=tmerc +lat_0=0 +lon_0={self.lon_deg:g} +k=1 +x_0={x_m:.0f} +y_0={y_m:.0f} +ellps=WGS84 +units=m"


def local_projection(lat: FloatArray, lon: FloatArray) -> LocalProjection:
    """Return the projection for positions (N,) in degrees, with x and y from 0 on.

    >>> str(local_projection(np.array([48.0]), np.array([11.0])))
    '+proj=tmerc +lat_0=0 +lon_0=11 +k=1 +x_0=0 +y_0=-5318427 +ellps=WGS84 +units=m'
    """
    # The mean direction: near a pole longitudes may be all around, at the antimeridian both -180 and 180.
    weight, angle = np.cos(np.radians(lat)), np.radians(lon)
    mean = np.arctan2((weight * np.sin(angle)).sum(), (weight * np.cos(angle)).sum())
    meridian = round(float(np.degrees(mean)), 2)
    corner_m = np.floor(LocalProjection(meridian, (0.0, 0.0)).all_xy_m(lat, lon).min(axis=0))
    return LocalProjection(meridian, (-float(corner_m[0]) + 0.0, -float(corner_m[1]) + 0.0))


def utm_m(lat: float, lon: float, zone: int) -> tuple[float, float]:
    """Return easting and northing in m without the false northing of the south.

        >>> [round(value) for value in utm_m(lat=52.52, lon=13.405, zone=33)]
        [391779, 5820072]

    Args:
        lat: latitude in degrees.
        lon: longitude in degrees.
        zone: UTM zone, 1 to 60.
    """
    return Projection(zone, south=False, offset_m=(0.0, 0.0)).xy_m(lat, lon)


def _krueger_m(lat: FloatArray, lon: FloatArray, meridian_deg: float) -> tuple[FloatArray, FloatArray]:
    """Return easting and northing (N,) of the transverse Mercator projection of scale 1."""
    phi, away = np.radians(lat), np.radians(lon - meridian_deg)
    e = 2.0 * sqrt(_N) / (1.0 + _N)
    with np.errstate(divide="ignore"):  # at a pole t is infinite, and what follows from it finite
        t = np.sinh(np.arctanh(np.sin(phi)) - e * np.arctanh(e * np.sin(phi)))
    xi = np.arctan2(t, np.cos(away))
    eta = np.arcsinh(np.sin(away) / np.hypot(t, np.cos(away)))
    east, north = eta, xi
    for j, a in enumerate(_ALPHA, start=1):
        east = east + a * np.cos(2 * j * xi) * np.sinh(2 * j * eta)
        north = north + a * np.sin(2 * j * xi) * np.cosh(2 * j * eta)
    return _RADIUS_M * east, _RADIUS_M * north


def read_projection(net: Path) -> Projection:
    """Return the projection that the head of a net states.

    Raises:
        InputError: it states none, or another than UTM.
    """
    found: list[dict[str, str]] = []

    def on_element(name: str, attributes: dict[str, str]) -> bool:
        if name == "location":
            found.append(attributes)
        return name in ("location", "edge")

    scan_xml(net, on_element, "rebuild the net with netconvert")
    text = found[0].get("projParameter", "!") if found else "!"
    zone = _UTM.search(text)
    if zone is None:
        raise InputError(f"{net.name}: its projection is {text!r}, not UTM, so lat, lon have no place; give x_m, y_m")
    left_m, bottom_m = (float(part) for part in found[0]["netOffset"].split(","))
    return Projection(int(zone.group(1)), "+south" in text, (left_m, bottom_m))
