"""SUMO configurations (.sumocfg): their options by long name, as SUMO itself reads the file."""

import os
import re
from dataclasses import dataclass
from math import copysign, floor, isfinite, nan
from pathlib import Path
from urllib.parse import unquote
from xml.parsers import expat

from cosim.errors import InputError
from cosim.mobility.option_table import option_table
from cosim.roads.packed import plain_bytes
from cosim.roads.xmlscan import parse_xml

_VALUE = ("value", "v")
_VARIABLE = re.compile(r"\$\{(.+?)\}")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+):(\d+(?:\.\d+)?)")
_DAYTIME_S = (86400.0, 3600.0, 60.0, 1.0)
_SCENARIO_FIELDS = {
    "step-length": "step_s",
    "scale": "scale",
    "time-to-teleport": "teleport_s",
    "max-num-vehicles": "max_vehicles",
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """The options of a SUMO configuration."""

    path: Path
    options: tuple[tuple[str, str], ...]
    """Long names and values, in the file's order."""

    def text(self, option: str) -> str | None:
        """Return an option's value; None if it is not set."""
        return dict(self.options).get(option)

    def files(self, option: str) -> tuple[Path, ...]:
        """Return the files that an option names, parted at commas only.

        Raises:
            InputError: one of them is not there.
        """
        found = tuple(self._file(part) for part in (self.text(option) or "").split(",") if part.strip())
        for one in found:
            if not one.exists():
                raise InputError(f"{self.path.name}: {option} names {one}, which is not there; put the file there")
        return found

    def seconds(self, option: str) -> float | None:
        """Return a time in s, written as a number, HH:MM:SS or DD:HH:MM:SS, as SUMO's clock of 1 ms takes it.

        None if it is not set.

        Raises:
            InputError: it is no time.
        """
        text = self.text(option)
        if text is None:
            return None
        time_s = parse_time(text)
        if time_s is None or not isfinite(time_s):
            raise InputError(f"{self.path.name}: {option}={text} is not a time; write seconds or HH:MM:SS")
        return copysign(floor(abs(time_s) * 1000.0 + 0.5) / 1000.0, time_s)

    def period(self) -> tuple[float, float | None]:
        """Return the times in s at which SUMO begins and ends; None without an end.

        Raises:
            InputError: one of them is no time.
        """
        end_s = self.seconds("end")
        return max(0.0, self.seconds("begin") or 0.0), None if end_s is None or end_s < 0 else end_s

    def traffic(self) -> dict[str, float]:
        """Return the fields of a scenario's `mobility` that the options set.

        Raises:
            InputError: one of them is no number.
        """
        found: dict[str, float] = {}
        for option, field in _SCENARIO_FIELDS.items():
            text = self.text(option)
            if text is None:
                continue
            if option in ("step-length", "time-to-teleport"):
                value = self.seconds(option) or 0.0
            else:
                value = self._number(option, text, "a number; write one")
            if field == "max_vehicles":
                if value >= 1:
                    found[field] = int(value)
            else:
                found[field] = max(-1.0, value) if field == "teleport_s" else value
        return found

    def _file(self, text: str) -> Path:
        """Return the path that SUMO makes of a file's name: relative to the file, %20 a space, ${HOME} replaced."""
        name = _VARIABLE.sub(lambda found: os.environ.get(found[1], ""), text.strip())
        return self.path.parent / unquote(name)

    def _number(self, option: str, text: str, wanted: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = nan
        if not isfinite(value):
            raise InputError(f"{self.path.name}: {option}={text} is not {wanted}")
        return value


def parse_time(text: str) -> float | None:
    """Return a time of SUMO in s; None for a word, such as triggered.

    >>> parse_time("07:00:00"), parse_time("1:00:00:01.5"), parse_time("12"), parse_time("now")
    (25200.0, 86401.5, 12.0, None)
    """
    if clock := _CLOCK.fullmatch(text.strip()):
        return sum(float(part or 0) * unit for part, unit in zip(clock.groups(), _DAYTIME_S, strict=True))
    try:
        return float(text)
    except ValueError:
        return None


def read_configuration(path: Path) -> Configuration:
    """Return the options of a .sumocfg, gzipped or plain.

    As SUMO reads it: sections do not count, names may be short or synonyms, values stand in `value`, `v` or as text.

    Raises:
        InputError: it cannot be read, or holds an option that SUMO does not know, or one twice.
    """
    reader = _Reader()
    parse_xml(reader.parser, plain_bytes(path), path.name, "correct the configuration")
    table, options = option_table(), dict[str, str]()
    for name, value in reader.found:
        if name not in table:
            raise InputError(f"{path.name}: SUMO has no option {name}; correct the name")
        long_name = table[name].name
        if long_name in options:
            raise InputError(f"{path.name}: {long_name} is set twice; set it once")
        options[long_name] = value
    return Configuration(path, tuple(options.items()))


class _Reader:
    """Collects names and values."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self._name, self._text = "", ""
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._begin
        self.parser.CharacterDataHandler = self._say
        self.parser.EndElementHandler = self._end

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._name, self._text = name, ""
        self.found += [(name, attributes[key]) for key in attributes if key in _VALUE and attributes[key]]

    def _say(self, text: str) -> None:
        self._text += text

    def _end(self, _: str) -> None:
        if self._name and self._text.strip():
            self.found.append((self._name, self._text))
        self._name, self._text = "", ""
