"""JSON files of a run folder that hold the SHA-256 of their own values, so that an edit of any of them is found.

This guards against accident and edits by hand, not against an author who computes the hash anew.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from cosim.data_text import json_data
from cosim.scenario.document import shown

SEAL: Final = "sha256"
_EXPECTED: Final = {str: "text", int: "a whole number", float: "a finite number"}


class Seal(Enum):
    """What the hash in a file says of its values."""

    NONE = auto()
    """There is none: an older cosim has written the file."""
    WHOLE = auto()
    """The values are those that were hashed."""
    BROKEN = auto()
    """They are not."""


@dataclass(frozen=True, slots=True)
class SealedValues:
    """The values of a file, without the hash, and what the hash says of them."""

    values: Mapping[str, Any]
    seal: Seal


def hash_of(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of values as JSON, in the order in which they stand; spaces and line ends are no part of it.

    >>> hash_of({"a": 1})[:12]
    '015abd7f5cc5'
    """
    return hashlib.sha256(json.dumps(values, separators=(",", ":")).encode()).hexdigest()


def sealed_text(values: Mapping[str, Any]) -> str:
    """Return the JSON text of values and of their hash, as `read_sealed` takes it."""
    return json.dumps({**values, SEAL: hash_of(values)}, indent=1, ensure_ascii=False)


def read_sealed(path: Path) -> SealedValues:
    """Return the values in a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON mapping.
    """
    if path.exists() and not path.is_file():
        raise ValueError("is no regular file")
    data = json_data(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict):
        raise ValueError(f"{shown(data)} is no mapping")
    if SEAL not in data:
        return SealedValues(data, Seal.NONE)
    told = data.pop(SEAL)
    return SealedValues(data, Seal.WHOLE if told == hash_of(data) else Seal.BROKEN)


def type_problems(made: type[Any], values: Any) -> Iterator[str]:
    """Yield what keeps values from being those of a dataclass whose fields are text, numbers, choices or mappings.

    Args:
        made: the dataclass; its fields with a default may be missing, and those of other types are not looked at.
        values: what was read.
    """
    if not isinstance(values, Mapping):
        yield f"{shown(values)} is no mapping"
        return
    known = {field.name: field for field in fields(made)}
    yield from (f"{shown(name)} is no field of it" for name in values if name not in known)
    for name, field in known.items():
        if name in values:
            expected = _mismatch(field.type, values[name])
            if expected:
                yield f"{name} is {shown(values[name])}, expected is {expected}"
        elif field.default is MISSING and field.default_factory is MISSING:
            yield f"{name} is missing"


def _mismatch(expected: Any, value: Any) -> str:
    """Return what a value should have been, "" if it is that."""
    if get_origin(expected) is Literal:
        choices = get_args(expected)
        return "" if isinstance(value, str) and value in choices else f"one of {', '.join(choices)}"
    if get_origin(expected) is Mapping:
        item = get_args(expected)[1]
        if isinstance(value, dict) and all(item is Any or not _mismatch(item, one) for one in value.values()):
            return ""
        return "a mapping" if item is Any else f"a mapping to {_EXPECTED[item]}"
    if expected is float:
        return "" if type(value) in (int, float) and _is_finite(value) else _EXPECTED[float]
    if expected in _EXPECTED:
        return "" if type(value) is expected else _EXPECTED[expected]
    return ""


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False
