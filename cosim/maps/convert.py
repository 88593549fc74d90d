"""Conversion of OpenStreetMap or OpenDRIVE to a SUMO net by netconvert, with a count of its warnings."""

import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cosim.errors import InputError
from cosim.maps.driving_side import DrivingSide, Side, SideSigns, opendrive_side, osm_side, write_turned
from cosim.mobility.demand import gzip_without_comments
from cosim.mobility.programs import run_program
from cosim.roads.net import read_net
from cosim.roads.parts import connected_parts
from cosim.roads.xmlscan import scan_xml

_OPTIONS = ("--keep-edges.by-vclass passenger --junctions.join true --geometry.remove true",)
_OSM_OPTIONS = (
    "--tls.guess true --tls.guess-signals true --tls.discard-simple true --tls.join true --roundabouts.guess true",
    "--ramps.guess true --no-turnarounds.except-deadend true",
)
_EVERY_WARNING = ("--aggregate-warnings", "-1")
_SOME_KINDS = re.compile(r"'.*?'(?=[ ,.]|$)|-?\d[\w.#:-]*")
_KEPT_SHARE = 0.1
"""A part of an extract that no road connects stays if it has this share of the longest part's road."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """The result of a conversion by netconvert."""

    roads_in: int  # ways with a highway tag, or roads of OpenDRIVE
    side: DrivingSide
    options: str
    warnings: tuple[tuple[str, int], ...]  # kind and count, most frequent first
    kept: int  # parts that no road connects with each other
    left_out: int  # smaller parts, clippings of an extract
    left_out_m: float  # their road


def convert(source: Path, kind: Literal["osm", "xodr"], net: Path, side: Side) -> Conversion:
    """Convert a file to a SUMO net, gzipped.

    Of an extract of OpenStreetMap the clippings are left out: parts that no road connects with the longest part and
    that have less than a tenth of its road. A file of OpenDRIVE is made by hand or survey, and stays whole.

    Args:
        source: file to convert.
        kind: its format, OpenStreetMap or OpenDRIVE.
        net: file to write, *.net.xml.gz.
        side: side of the road on which people drive; auto: as the file says, or by the country.

    Raises:
        InputError: the file is malformed, or has no road for passenger cars.
    """
    roads, signs = _survey(source, kind)
    chosen_side = osm_side(signs, side) if kind == "osm" else opendrive_side(signs, side, source.name)
    lefthand = ["--lefthand"] if chosen_side.left else []
    chosen = " ".join((*_OPTIONS, *(_OSM_OPTIONS if kind == "osm" else ()), *lefthand))
    with tempfile.TemporaryDirectory() as folder:
        # netconvert parts names at commas, so it is given plain ones.
        plain, draft = Path(folder) / f"source.{kind}", Path(folder) / "draft.net.xml"
        if chosen_side.turned:
            write_turned(source, plain)
        else:
            plain = plain.with_name(plain.name + (".gz" if source.suffix == ".gz" else ""))
            plain.symlink_to(source.resolve())
        given = ["--osm-files" if kind == "osm" else "--opendrive-files", str(plain)]
        printed = _netconvert(
            source.name, plain, [*given, *chosen.split(), *_EVERY_WARNING, "--output-file", str(draft)]
        )
        parts = connected_parts(read_net(draft))
        kept = len(parts) if kind == "xodr" else sum(p.length_m >= _KEPT_SHARE * parts[0].length_m for p in parts)
        if kept < len(parts):
            dropped = Path(folder) / "dropped.txt"
            dropped.write_text("".join(f"{edge}\n" for part in parts[kept:] for edge in part.edges), encoding="utf-8")
            options = ["--sumo-net-file", str(draft), "--remove-edges.input-file", str(dropped)]
            draft = draft.with_name("cleaned.net.xml")
            _netconvert(source.name, plain, [*options, "--output-file", str(draft)])
        gzip_without_comments(draft, net)
    clippings_m = sum(part.length_m for part in parts[kept:])
    return Conversion(roads, chosen_side, chosen, _kinds(printed), kept, len(parts) - kept, clippings_m)


def _netconvert(name: str, plain: Path, options: list[str]) -> str:
    try:
        return run_program("netconvert", options, f"converting {name}")
    except InputError as error:
        if "No edges loaded" in str(error):
            raise InputError(f"{name}: it has no road for passenger cars; take an extract with roads") from error
        raise InputError(str(error).replace(str(plain), name)) from error


def _kinds(printed: str) -> tuple[tuple[str, int], ...]:
    """Return the kinds of warnings with their counts; names and numbers in them are replaced by dots."""
    lines = (line.strip() for line in printed.splitlines())
    warnings = (line.removeprefix("Warning:").strip() for line in lines if line.startswith("Warning:"))
    counted = Counter(_SOME_KINDS.sub("..", warning) for warning in warnings)
    return tuple(sorted(counted.items(), key=lambda one: (-one[1], one[0])))


def _survey(source: Path, kind: str) -> tuple[int, SideSigns]:
    """Return the number of roads in the file, and what it says about the driving side."""
    roads = 0
    signs = SideSigns()
    element, tags = "", dict[str, str]()

    def end_of_element() -> None:
        nonlocal roads
        driving_side = tags.get("driving_side", "")
        if element == "way" and "highway" in tags:
            roads += 1
            signs.ways[driving_side] += 1
        elif driving_side:
            signs.areas[driving_side] += 1

    def on_element(name: str, attributes: dict[str, str]) -> None:
        nonlocal roads, element
        match name:
            case "tag":
                tags[attributes.get("k", "")] = attributes.get("v", "")
            case "way" | "relation" | "node":
                end_of_element()
                element = name
                tags.clear()
                if name == "node" and signs.place is None:
                    signs.place = float(attributes["lat"]), float(attributes["lon"])
            case "road" if kind == "xodr":
                roads += 1
                signs.rules[attributes.get("rule", "").upper()] += 1

    scan_xml(source, on_element, "get the extract again")
    end_of_element()
    return roads, signs
