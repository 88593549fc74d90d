"""The input files of a SUMO scenario: copied into a map folder with all that they open, their outputs silenced."""

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from cosim.errors import InputError
from cosim.maps.rewriting import rewritten
from cosim.mobility.configuration import parse_time
from cosim.mobility.demand import gzip_bytes, without_comments
from cosim.mobility.references import DEMAND, SILENT, read_by, written_by
from cosim.roads.packed import plain_bytes

NET = "net.net.xml.gz"
ROUTES = ".rou.xml.gz"
ADDITIONAL = ".add.xml"
_INCLUDED = ".inc.xml"
_PERSONS = ("person", "personFlow")
_CONTAINERS = ("container", "containerFlow")
_DRAWN_ONLY = ("imgFile", "osgFile")


@dataclass(slots=True)
class OwnDemand:
    """What the files of a scenario bring on the roads."""

    departures: dict[str, float] = field(default_factory=dict)
    """Single vehicles and trips that depart at a time in s."""
    flows: dict[str, None] = field(default_factory=dict)
    others: int = 0
    """Vehicles that depart with a person or the like."""
    persons: int = 0
    """Persons, and flows of persons."""
    containers: int = 0
    first_s: float = float("inf")
    """The first time at which something departs."""
    last_s: float = 0.0
    """The last departure of a single vehicle, or begin of a flow."""

    count: int = 0
    """Elements that bring something."""

    def __bool__(self) -> bool:
        return self.count > 0

    def was_due(self, name: str, time_s: float) -> bool:
        """Return whether a vehicle, or a copy of it that a scale or flow has made, should have departed before then."""
        parts = (name, name.rsplit(".", 1)[0])
        return any(self.departures.get(part, float("inf")) < time_s or part in self.flows for part in parts)

    def add(self, element: str, attributes: dict[str, str]) -> None:
        """Take note of an element, if it brings something."""
        if element not in DEMAND:
            return
        self.count += 1
        times_s = [parse_time(attributes[key]) for key in ("depart", "begin") if key in attributes]
        known_s = [time_s for time_s in times_s if time_s is not None]
        self.first_s = min([self.first_s, *known_s])
        self.last_s = max([self.last_s, *known_s])
        if element in _PERSONS:
            self.persons += 1
        elif element in _CONTAINERS:
            self.containers += 1
        elif element == "flow":
            self.flows[attributes.get("id", "")] = None
        elif known_s:
            self.departures[attributes.get("id", "")] = known_s[0]
        else:
            self.others += 1


class Carrier:
    """Copies files into a map folder, each once, with the files that they include or name for reading.

    Whatever they write goes nowhere in the copies: detectors stay, because traffic lights may use them.

    Args:
        home: the map folder.
    """

    def __init__(self, home: Path) -> None:
        self.demand = OwnDemand()
        self.silenced = 0
        self._home = home
        self._before = sum(1 for _ in home.iterdir())
        self._copies: dict[Path, Path | None] = {}

    def carry(self, path: Path, ending: str) -> Path:
        """Copy a file and all that it opens, and return the copy.

        Args:
            path: a file of XML, gzipped or plain, or a file or folder of another kind.
            ending: end of the copy's name, or its name where it is that of the net.

        Raises:
            InputError: a file is broken, not there, or includes itself.
        """
        source = path.resolve()
        if source in self._copies:
            copy = self._copies[source]
            if copy is None:
                raise InputError(f"{path.name}: it includes itself; take one of the includes out")
            return copy
        self._copies[source] = None
        stem = re.sub(r"[^A-Za-z0-9_-]", "_", path.name.split(".")[0])
        target = self._home / (ending if ending == NET else f"{self._before + len(self._copies):02d}-{stem}{ending}")
        if path.is_dir():
            shutil.copytree(path, target)
        else:
            self._copy(path, target)
        self._copies[source] = target
        return target

    def carry_plain(self, path: Path) -> Path:
        """Copy a file or folder that is not SUMO's XML, and return the copy."""
        return self.carry(path, "".join(path.suffixes[-1:]))

    def _copy(self, path: Path, target: Path) -> None:
        content = plain_bytes(path)
        if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<", b"\xfe\xff", b"\xff\xfe")):
            changed = rewritten(path, content, lambda element, attributes: self._look(path, element, attributes))
            content = without_comments(content) if changed is None else changed
        if target.suffix == ".gz":
            gzip_bytes(content, target)
        else:
            target.write_bytes(content)

    def _look(self, path: Path, element: str, attributes: dict[str, str]) -> dict[str, str] | None:
        self.demand.add(element, attributes)
        changes = dict.fromkeys(written_by(element, attributes), SILENT)
        self.silenced += bool(changes)
        for name in read_by(element, attributes):
            named = path.parent / attributes[name]
            if named.is_file():
                plain = name in _DRAWN_ONLY
                changes[name] = (self.carry_plain(named) if plain else self.carry(named, _INCLUDED)).name
            elif name not in _DRAWN_ONLY:
                raise InputError(f"{path.name}: <{element}> names {named}, which is not there; put the file there")
        return {**attributes, **changes} if changes else None
