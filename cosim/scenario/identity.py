"""The identity of a scenario: a text of what differs from the defaults, whose hash is in the run id.

A new field of one of cosim's own sections changes no text as long as it keeps its default; a section of a package is in
the text completely. A default whose *value* changes would give old and new runs one text, and so would a new field
whose default is not what was computed before: then `DEFAULTS` grows. Key order, comments, defaults written out and 5
against 5.0 make no difference, nor does the name of a preset: its values count, as if they were written out. The
content of files that the scenario names is not part of it.
"""

import hashlib
import json
from collections.abc import Mapping, Set
from typing import Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from cosim.scenario.section import Section
from cosim.subjects import outside

DEFAULTS: Final = 2
"""Number of the values of all defaults; raise it when one changes (tests/scenario/defaults.json pins them)."""
_OF_SECTIONS: Final[Mapping[str, int]] = {"ledger": 3}
"""Number for scenarios with a section that may be left out, where its defaults alone have changed: other ids stay.

`ledger`: time-outs fit the network. When `DEFAULTS` grows next, it goes past these numbers, and they are dropped.
"""
_DIGITS: Final = 12


def identity(scenario: Section, forked: Mapping[str, Any] | None = None) -> str:
    """Return the text that is hashed: canonical JSON of the number of the defaults and of what differs from them.

    Two scenarios have one text only if they are equal: the scenario can be made again from what differs.

    Args:
        scenario: the scenario.
        forked: of a fork, what of its parent tells it from a run of the scenario from the start.
    """
    of_parent = {"forked": _canonical(forked)} if forked else {}
    number = defaults_number(_sections(scenario))
    return text_of({"defaults": number, "differs": _differing(scenario), **of_parent})


def defaults_number(sections: Set[str]) -> int:
    """Return the number of the defaults of a scenario with these sections."""
    return max([DEFAULTS, *(number for name, number in _OF_SECTIONS.items() if name in sections)])


def _sections(scenario: Section) -> Set[str]:
    return {name for name in _OF_SECTIONS if getattr(scenario, name, None) is not None}


def run_id(name: str, text: str) -> str:
    """Return a scenario's name and the first 12 hex digits of the SHA-256 of its identity."""
    return f"{safe_name(name)}-{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}"


def whole(scenario: Mapping[str, Any]) -> str:
    """Return the text that was hashed before there were identities: all of a stored scenario, defaults included."""
    return text_of(_canonical(scenario))


def as_json(scenario: Section) -> dict[str, Any]:
    """Return all of a scenario as plain values, as provenance.json keeps it; sets are sorted lists.

    Presets are resolved: their values are there and their names are not, so that none is applied again.
    """
    plain: dict[str, Any] = _sorted(scenario, scenario.model_dump(mode="json"))
    return plain


def safe_name(name: str) -> str:
    """Return a name as part of a folder's name."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "-" for letter in name)[:60]


def _canonical(value: Any) -> Any:
    """Return a JSON value in which floats that are whole numbers are integers."""
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def difference_from_defaults(section: Section) -> dict[str, Any]:
    """Return what of a section differs from its defaults, as plain values.

    A subsection that equals its default is left out; one that is kept keeps its `kind`. Lists are compared element by
    element.
    """
    return {
        name: _identified(getattr(section, name))
        for name, field in type(section).model_fields.items()
        if name not in section.SPELLING and (_is_kind(field) or not _is_default(field, getattr(section, name)))
    }


def _differing(scenario: Section) -> dict[str, Any]:
    """Return the difference of the root; sections of packages are whole, as `DEFAULTS` does not count theirs."""
    differs = difference_from_defaults(scenario)
    foreign = {subject.name for subject in outside()} & differs.keys()
    return differs | {name: _plain_value(getattr(scenario, name)) for name in foreign}


def _identified(value: Any) -> Any:
    if isinstance(value, Section):
        return difference_from_defaults(value)
    if isinstance(value, tuple | list):
        return [_identified(item) for item in value]
    return _plain_value(value)


def _is_kind(field: FieldInfo) -> bool:
    """Return whether the field has one possible value, which tells its section from others."""
    return get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1


def _is_default(field: FieldInfo, value: Any) -> bool:
    """Return whether a value equals its default as JSON, in which 1 is not a truth value."""
    if field.is_required():
        return False
    return text_of(_plain_value(value)) == text_of(_plain_value(field.get_default(call_default_factory=True)))


def _plain_value(value: Any) -> Any:
    return _canonical(_sorted(value, to_jsonable_python(value, by_alias=False)))


def _sorted(value: Any, plain: Any) -> Any:
    """Return the plain form of a value without ways of writing, and with the elements of sets sorted.

    A set's own order differs by process.
    """
    if isinstance(value, Section) and isinstance(plain, dict):
        kept = {name: item for name, item in plain.items() if name not in value.SPELLING}
        return {name: _sorted(getattr(value, name, None), item) for name, item in kept.items()}
    if isinstance(value, Mapping) and isinstance(plain, dict) and len(value) == len(plain):
        return {name: _sorted(one, item) for one, (name, item) in zip(value.values(), plain.items(), strict=True)}
    if isinstance(value, tuple | list | Set) and isinstance(plain, list) and len(value) == len(plain):
        items = [_sorted(one, item) for one, item in zip(value, plain, strict=True)]
        return sorted(items, key=text_of) if isinstance(value, Set) else items
    return plain


def text_of(value: Any) -> str:
    """Return a plain value as canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
