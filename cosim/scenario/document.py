"""A YAML 1.2 text as plain data that remembers the line of each key.

Only what a scenario needs: mappings with text keys, lists, text, finite numbers, truth values, null, anchors and
aliases. Left out on purpose: merge keys, dates (they stay text), and every other tag.
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.scanner import Scanner

from cosim.errors import InputError

Location: TypeAlias = tuple[str | int, ...]
"""Keys and list indexes from the root."""

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 200_000
_TAG: Final = "tag:yaml.org,2002:"
_TRUTH: Final[Mapping[str, bool]] = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Document:
    """The data of a YAML text, and the line (from 1) of each key and list item."""

    data: Any
    lines: Mapping[Location, int]

    def line(self, location: Location) -> int | None:
        """Return the line of the closest enclosing key that is in the text; None for the root."""
        for length in range(len(location), 0, -1):
            if location[:length] in self.lines:
                return self.lines[location[:length]]
        return None


def shown(value: Any, limit: int = 60) -> str:
    """Return a value or key on one printable line, as YAML writes it, shortened to `limit` characters."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    try:
        text = str(value) if isinstance(value, str) and value.isprintable() and value.strip() else repr(value)
    except ValueError:  # an integer of thousands of digits
        text = "a number with thousands of digits"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def parse(text: str, origin: str, *, numbered: bool = True) -> Document:
    r"""Read YAML 1.2 text; an empty text has the data None.

    Args:
        text: the text.
        origin: file name for error messages.
        numbered: whether they name the line; False for a text of one line.

    Raises:
        InputError: it is not YAML, has a key twice, nests deeper than MAX_DEPTH, holds (with its aliases written out)
            more than MAX_VALUES values, or holds something that is none of the types above.

    Example:
        >>> document = parse("radio:\n  bandwidth_hz: 20e6", "example.yaml")
        >>> document.data, document.line(("radio", "bandwidth_hz"))
        ({'radio': {'bandwidth_hz': 20000000.0}}, 2)
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _Scanner
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            node = yaml.compose(text)
    except (RecursionError, _DeepError):
        raise InputError(f"{origin}: is nested too deep; write at most {MAX_DEPTH} levels") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{origin}:{mark.line + 1}" if numbered and mark is not None else origin
        problem = shown(" ".join(str(error.problem or error.context or "cannot be read").split()), 160)
        raise InputError(f"{where}: is not valid YAML: {problem}; correct it there or just before") from None
    except Exception as error:  # the YAML library raises many kinds on broken text
        problem = shown(" ".join(str(error).split()) or type(error).__name__, 160)
        raise InputError(f"{origin}: is not valid YAML: {problem}; correct the file") from None
    reader = _Reader(origin, numbered=numbered)
    data = None if node is None else reader.read(node, ())
    return Document(data, reader.lines)


class _DeepError(Exception):
    """Brackets are nested deeper than MAX_DEPTH."""


class _Scanner(Scanner):
    """The library's scanner, which takes time that grows with the square of the depth of brackets, up to a depth."""

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:  # noqa: N803 - the library's name
        """Take an opening bracket.

        Args:
            TokenClass: class of its token.
            to_push: the bracket.

        Raises:
            _DeepError: it is nested deeper than MAX_DEPTH.
        """
        if len(self.flow_context) >= MAX_DEPTH:
            raise _DeepError
        super().fetch_flow_collection_start(TokenClass, to_push)


class _Reader:
    """The conversion of a node graph into data, which counts what aliases multiply."""

    def __init__(self, origin: str, *, numbered: bool) -> None:
        self.origin = origin
        self.numbered = numbered
        self.lines: dict[Location, int] = {}
        self.values = 0

    def fail(self, node: Node, location: Location, problem: str) -> InputError:
        """Return the error of a node, with its line."""
        field = ".".join(shown(part) for part in location)
        where = f"{self.origin}:{node.start_mark.line + 1}" if self.numbered else self.origin
        return InputError(f"{where}: {field + ': ' if field else ''}{problem}")

    def read(self, node: Node, location: Location) -> Any:
        """Return the data of a node and of everything below it."""
        self.values += 1
        if self.values > MAX_VALUES:
            raise self.fail(node, location[:3], f"the text holds more than {MAX_VALUES} values; use fewer aliases")
        if len(location) > MAX_DEPTH:
            raise self.fail(node, location[:3], f"is nested too deep; write at most {MAX_DEPTH} levels")
        self.lines.setdefault(location, node.start_mark.line + 1)
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, location)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return [self.read(item, (*location, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self._scalar(node, location)
        raise self.fail(node, location, f"the tag {shown(node.tag)} is not supported; use plain lists and mappings")

    def _mapping(self, node: Node, location: Location) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._scalar(key_node, location) if isinstance(key_node, ScalarNode) else None
            if not isinstance(key, str):
                raise self.fail(key_node, location, f"the key {shown(key_node.value)} is not text; put it in quotes")
            if key in data:
                raise self.fail(key_node, (*location, key), "is given twice in the same section; remove one")
            self.lines[(*location, key)] = key_node.start_mark.line + 1
            data[key] = self.read(value_node, (*location, key))
        return data

    def _scalar(self, node: Node, location: Location) -> Any:
        text: str = node.value
        kind = str(node.tag).removeprefix(_TAG)
        try:
            match kind:
                case "str" | "timestamp":
                    return text
                case "null":
                    return None
                case "bool":
                    return _TRUTH[text.lower()]
                case "int":
                    return _integer(text)
                case "float":
                    return _real(text)
        except (ValueError, KeyError):
            raise self.fail(
                node, location, f"{shown(text)} is not a finite number or truth value; give a plain one"
            ) from None
        if kind == "merge":
            raise self.fail(node, location, "merge keys (<<) are not supported; write the keys out")
        raise self.fail(node, location, f"the tag {shown(node.tag)} is not supported; use text, numbers, true or false")


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    return int(digits, 0 if digits.lstrip("+-")[:2].lower() in {"0x", "0o", "0b"} else 10)


def _real(text: str) -> float:
    value = float(text.replace("_", ""))  # ".inf" and ".nan" are refused by float itself
    if not math.isfinite(value):
        raise ValueError(text)
    return value
