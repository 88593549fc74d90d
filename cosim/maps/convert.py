"""Conversion of OpenStreetMap or OpenDRIVE to a SUMO net by netconvert, with a count of its warnings."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from cosim.errors import InputError
from cosim.mobility.demand import gzip_without_comments
from cosim.mobility.programs import run_program
from cosim.roads.xmlscan import scan_xml

Side: TypeAlias = Literal["auto", "left", "right"]

_OPTIONS = (
    "--keep-edges.by-vclass passenger --keep-edges.components 1 --remove-edges.isolated true",
    "--junctions.join true --geometry.remove true",
)
_OSM_OPTIONS = (
    "--tls.guess true --tls.guess-signals true --tls.discard-simple true --tls.join true --roundabouts.guess true",
    "--ramps.guess true --no-turnarounds.except-deadend true",
)
_EVERY_WARNING = ("--aggregate-warnings", "-1")
_SOME_KINDS = re.compile(r"'.*?'(?=[ ,.]|$)|-?\d[\w.#:-]*")
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


@dataclass(frozen=True, slots=True)
class Conversion:
    """The result of a conversion by netconvert."""

    roads_in: int  # ways with a highway tag, or roads of OpenDRIVE
    left_hand: bool
    options: str
    warnings: tuple[tuple[str, int], ...]  # kind and count, most frequent first


def convert(source: Path, kind: Literal["osm", "xodr"], net: Path, side: Side) -> Conversion:
    """Convert a file to a SUMO net, gzipped.

    OpenStreetMap does not say on which side people drive. `auto` looks where the first node lies, in coarse boxes of
    countries that drive on the left; near a border, or for a country that is not among them, give the side.

    Args:
        source: file to convert.
        kind: its format, OpenStreetMap or OpenDRIVE.
        net: file to write, *.net.xml.gz.
        side: side of the road on which people drive.

    Raises:
        InputError: the file is malformed, or has no road for passenger cars.
    """
    counted, place = _survey(source, kind)
    left_hand = side == "left" or (side == "auto" and place is not None and drives_left(*place))
    chosen = " ".join((*_OPTIONS, *(_OSM_OPTIONS if kind == "osm" else ()), *(["--lefthand"] if left_hand else [])))
    draft = net.with_name("draft.net.xml")
    given = ["--osm-files" if kind == "osm" else "--opendrive-files", str(source)]
    options = [*given, *chosen.split(), *_EVERY_WARNING, "--output-file", str(draft)]
    try:
        printed = run_program("netconvert", options, f"converting {source.name}")
    except InputError as error:
        if "No edges loaded" in str(error):
            raise InputError(f"{source.name}: it has no road for passenger cars; take an extract with roads") from error
        raise
    gzip_without_comments(draft, net)
    draft.unlink()
    return Conversion(counted, left_hand, chosen, _kinds(printed))


def drives_left(lat: float, lon: float) -> bool:
    """Return whether people drive on the left at a place, by coarse boxes of countries.

    >>> drives_left(51.5, -0.1), drives_left(48.1, 11.6)  # London, Munich
    (True, False)
    """
    return any(south <= lat <= north and west <= lon <= east for south, north, west, east in _LEFT)


def _kinds(printed: str) -> tuple[tuple[str, int], ...]:
    """Return the kinds of warnings with their counts; names and numbers in them are replaced by dots."""
    lines = (line.strip() for line in printed.splitlines())
    warnings = (line.removeprefix("Warning:").strip() for line in lines if line.startswith("Warning:"))
    counted = Counter(_SOME_KINDS.sub("..", warning) for warning in warnings)
    return tuple(sorted(counted.items(), key=lambda one: (-one[1], one[0])))


def _survey(source: Path, kind: str) -> tuple[int, tuple[float, float] | None]:
    """Return the number of roads in the file, and the latitude and longitude of its first node."""
    roads, place, in_way = 0, None, False

    def on_element(name: str, attributes: dict[str, str]) -> None:
        nonlocal roads, place, in_way
        match name:
            case "node" if place is None:
                place = float(attributes["lat"]), float(attributes["lon"])
            case "way" | "relation":
                in_way = name == "way"
            case "tag":
                roads += in_way and attributes.get("k") == "highway"
            case "road":
                roads += kind == "xodr"

    scan_xml(source, on_element, "get the extract again")
    return roads, place
