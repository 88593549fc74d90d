"""The side of the road on which vehicles drive: as a file says it, by its country, or as the user wishes."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias
from xml import sax
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from cosim.errors import InputError
from cosim.roads.packed import open_packed

Side: TypeAlias = Literal["auto", "left", "right"]

_LEFT = (  # latitude from, to, longitude from, to
    (51.05, 61.0, -11.0, 1.8),  # Great Britain and Ireland, in two
    (50.0, 51.05, -11.0, 1.05),
    (35.7, 36.1, 14.1, 14.6),  # Malta
    (34.5, 35.75, 32.2, 34.65),  # Cyprus
    (30.5, 34.8, 129.5, 132.0),  # Japan, in three
    (33.0, 37.9, 132.0, 142.0),
    (36.8, 45.6, 139.0, 146.0),
    (22.15, 22.5, 113.83, 114.45),  # Hong Kong
    (8.0, 30.0, 68.0, 88.0),  # India, Nepal, Pakistan, Sri Lanka, Bangladesh
    (30.0, 34.0, 70.0, 78.5),
    (5.8, 10.0, 79.4, 82.0),
    (20.7, 26.6, 88.0, 92.3),
    (6.0, 17.5, 98.5, 102.3),  # Thailand without its border on Laos
    (1.1, 6.5, 99.6, 104.5),  # Malaysia and Singapore
    (-8.9, -5.8, 105.0, 115.8),  # Java and Bali
    (-44.0, -10.0, 112.5, 154.0),  # Australia
    (-47.5, -34.0, 166.0, 179.0),  # New Zealand
    (-35.0, -22.0, 16.5, 33.0),  # South Africa and its neighbours
    (-11.5, 4.0, 33.5, 41.5),  # Kenya and Tanzania
)
_NEGATED = {
    "lane": ("id",),
    "predecessor": ("id",),  # of a lane; those of a road have an elementId
    "successor": ("id",),
    "laneLink": ("from", "to"),
    "validity": ("fromLane", "toLane"),
}


@dataclass(frozen=True, slots=True)
class DrivingSide:
    """The side of the road on which people drive, and how it is known."""

    left: bool
    reason: str
    turned: bool = False
    """Whether OpenDRIVE's lanes change their sign before netconvert reads them."""

    def __str__(self) -> str:
        return f"{'left' if self.left else 'right'}, {self.reason}"


@dataclass(slots=True)
class SideSigns:
    """The statements of a file about the driving side."""

    place: tuple[float, float] | None = None
    """Latitude and longitude of its first node."""
    ways: Counter[str] = field(default_factory=Counter)
    """Roads of OpenStreetMap by their tag driving_side, "" without one."""
    areas: Counter[str] = field(default_factory=Counter)
    """Areas of OpenStreetMap, countries for example, by that tag."""
    rules: Counter[str] = field(default_factory=Counter)
    """Roads of OpenDRIVE by `rule`, "" where none is given, which means RHT."""


def drives_left(lat: float, lon: float) -> bool:
    """Return whether people drive on the left at a place, by coarse boxes of countries.

    >>> drives_left(51.5, -0.1), drives_left(48.1, 11.6)  # London, Munich
    (True, False)
    """
    return any(south <= lat <= north and west <= lon <= east for south, north, west, east in _LEFT)


def osm_side(signs: SideSigns, wish: Side) -> DrivingSide:
    """Return the side for an extract of OpenStreetMap.

    The wish goes first, then the tag driving_side where half of the roads have it, then that of an area, then the
    country in which the first node lies, by coarse boxes: near a border, or for a country that is not among them, give
    the side.
    """
    if wish != "auto":
        return DrivingSide(wish == "left", "as --side says")
    tagged = {side: signs.ways[side] for side in ("left", "right")}
    if sum(tagged.values()) * 2 >= signs.ways.total() > 0 and tagged["left"] != tagged["right"]:
        return DrivingSide(tagged["left"] > tagged["right"], "as most roads' driving_side says")
    if signs.areas["left"] != signs.areas["right"]:
        return DrivingSide(signs.areas["left"] > signs.areas["right"], "as an area's driving_side says")
    if signs.place is None:
        return DrivingSide(left=False, reason="as nothing says otherwise; --side changes it")
    lat, lon = signs.place
    return DrivingSide(drives_left(lat, lon), f"by the country at {lat:.2f}, {lon:.2f}; --side changes it")


def opendrive_side(signs: SideSigns, wish: Side, name: str) -> DrivingSide:
    """Return the side for a file of OpenDRIVE.

    Args:
        signs: statements of the file.
        wish: side that the user wants.
        name: name of the file.

    Raises:
        InputError: its roads are of both rules.
    """
    left, right = signs.rules["LHT"], signs.rules.total() - signs.rules["LHT"]
    if left and right:
        raise InputError(
            f"{name}: {left} roads have rule=LHT and {right} have not, which means RHT, and a SUMO net has one side; "
            "part the file by rule"
        )
    said = "rule=LHT" if left else "rule=RHT" if signs.rules["RHT"] else "OpenDRIVE's default rule"
    if wish == "auto" or (wish == "left") == bool(left):
        return DrivingSide(bool(left), f"as {said} says", turned=bool(left))
    reason = f"as --side says against {said}: lanes lie on the other side of their reference line"
    return DrivingSide(wish == "left", reason, turned=bool(left))


def write_turned(source: Path, target: Path) -> None:
    """Copy a file of OpenDRIVE whose lanes change their sign: those left of the reference line become right ones.

    netconvert reads every road as one for right-hand traffic, on which the right lanes lead onward; under `rule="LHT"`
    the left ones do. With changed signs it gives each lane its direction, and --lefthand lays it where it was.

    Raises:
        InputError: a lane's number is no whole number.
    """
    try:
        with open_packed(source) as stream, target.open("w", encoding="utf-8") as out:
            sax.parse(stream, _Turner(out, encoding="utf-8"))  # noqa: S317 (expat has read it whole before)
    except (ValueError, sax.SAXException) as error:
        raise InputError(f"{source.name}: a lane's number cannot be read ({error}); correct it") from error


class _Turner(XMLGenerator):
    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        turned = dict(attrs.items())
        for key in _NEGATED.get(name, ()):
            if key in turned:
                turned[key] = str(-int(turned[key]))
        super().startElement(_other(name), AttributesImpl(turned))

    def endElement(self, name: str) -> None:  # noqa: N802
        super().endElement(_other(name))


def _other(name: str) -> str:
    return {"left": "right", "right": "left"}.get(name, name)
