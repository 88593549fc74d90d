"""Latitude and longitude on a SUMO net: the transverse Mercator projection (UTM) that netconvert uses."""

import re
from dataclasses import dataclass
from math import asinh, atan2, atanh, cos, cosh, radians, sin, sinh, sqrt
from pathlib import Path

from cosim.errors import InputError
from cosim.roads.xmlscan import scan_xml

_AXIS_M, _FLATTENING = 6_378_137.0, 1.0 / 298.257223563  # WGS 84
_N = _FLATTENING / (2.0 - _FLATTENING)
_RADIUS_M = _AXIS_M / (1.0 + _N) * (1.0 + _N**2 / 4.0 + _N**4 / 64.0)
_ALPHA = (
    _N / 2.0 - 2.0 * _N**2 / 3.0 + 5.0 * _N**3 / 16.0,
    13.0 * _N**2 / 48.0 - 3.0 * _N**3 / 5.0,
    61.0 * _N**3 / 240.0,
)
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
        east_m, north_m = utm_m(lat, lon, self.zone)
        return east_m + self.offset_m[0], north_m + (1e7 if self.south else 0.0) + self.offset_m[1]


def utm_m(lat: float, lon: float, zone: int) -> tuple[float, float]:
    """Return easting and northing in m without the false northing of the south.

        >>> [round(value) for value in utm_m(lat=52.52, lon=13.405, zone=33)]
        [391779, 5820072]

    Args:
        lat: latitude in degrees.
        lon: longitude in degrees.
        zone: UTM zone, 1 to 60.
    """
    phi, away = radians(lat), radians(lon - (6 * zone - 183))
    e = 2.0 * sqrt(_N) / (1.0 + _N)
    t = sinh(atanh(sin(phi)) - e * atanh(e * sin(phi)))
    xi, eta = atan2(t, cos(away)), asinh(sin(away) / sqrt(t * t + cos(away) ** 2))
    waves = tuple(enumerate(_ALPHA, start=1))
    east = eta + sum(a * cos(2 * j * xi) * sinh(2 * j * eta) for j, a in waves)
    north = xi + sum(a * sin(2 * j * xi) * cosh(2 * j * eta) for j, a in waves)
    return 500_000.0 + 0.9996 * _RADIUS_M * east, 0.9996 * _RADIUS_M * north


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
