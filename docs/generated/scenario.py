"""Every section and field of a scenario, from the models that check scenarios and their JSON schema."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cosim.scenario.preset_values import PRESETS
from cosim.scenario.presets import plain
from cosim.scenario.schema import scenario_model
from cosim.scenario.sense import RULES
from generated.markdown import code, sentence, table

UNITS: Final[Mapping[str, str]] = {
    "efficiency_bps_hz": "bit/s/Hz",
    "cycles_per_bit": "cycle/bit",
    "cycles_per_credit": "cycle/credit",
    "cycles_per_check": "cycle",
    "db_per_km": "dB/km",
    "rad_per_s": "rad/s",
    "loss_per_km": "1/km",
    "per_km": "1/km",
    "per_k": "1/K",
    "per_s": "1/s",
    "km": "km",
    "m": "m",
    "mps": "m/s",
    "s": "s",
    "ghz": "GHz",
    "hz": "Hz",
    "bps": "bit/s",
    "bit": "bit",
    "byte": "byte",
    "w": "W",
    "j": "J",
    "db": "dB",
    "dbm": "dBm",
    "k": "K",
    "rad": "rad",
    "percent": "%",
    "cycles": "cycle",
    "kappa": "J s²/cycle³",
}
"""By the end of a field's name, the longest that fits."""
_BOUNDS: Final = {
    "gt": ">",
    "exclusiveMinimum": ">",
    "ge": "≥",
    "minimum": "≥",
    "lt": "<",
    "exclusiveMaximum": "<",
    "le": "≤",
    "maximum": "≤",
}
_WORDS: Final = {
    "number": "number",
    "integer": "whole number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
}
_DISTRIBUTIONS: Final = ("Uniform", "Exponential", "Lognormal", "Choice")
_INTRODUCTION: Final = """\
# Scenario reference

Every section of a scenario file with its fields, made at each build from the models that check scenario files.
[Scenarios](../scenarios.md) tells how to write one; `cosim scenario schema` prints the same as JSON Schema for editors,
and `cosim scenario check FILE` checks a file. A field that has no default must be given. A number must be 0 or between
1e-30 and 1e18 in size. Where a type says *or distribution*, a plain number is a constant and a mapping with `kind`
draws: see [distributions](#distributions).
"""

_NOTED: Final = """\
A scenario whose periodic decisions come no earlier than its end is refused. What else is legal and without effect, or
surely not meant, stands in the notes of a run, of `cosim trace summary` and of `cosim scenario check`:
"""


@dataclass(frozen=True, slots=True)
class FieldEntry:
    """A field of a section."""

    name: str
    type: str
    unit: str
    bounds: str
    default: str
    description: str


@dataclass(frozen=True, slots=True)
class SectionEntry:
    """A section, or one of several that stand in for each other by `kind`."""

    model: str
    path: str
    """Where it first stands in a scenario; "" for the scenario itself."""
    kind: str
    description: str
    fields: tuple[FieldEntry, ...]


def scenario_page() -> str:
    """Return the page."""
    entries = list(section_entries())
    drawn = [entry for entry in entries if entry.model in _DISTRIBUTIONS]
    sections = [_section(entry, code(entry.path) or "Top level") for entry in entries if entry not in drawn]
    distributions = [_section(entry, "", "###") for entry in drawn]
    return "\n".join([_INTRODUCTION, *sections, "## Distributions\n", *distributions, _presets(), _sense()])


def _presets() -> str:
    """Return the section on the presets of a radio."""
    parts = ["## Presets\n\nWhat each `radio.preset` gives, with its sources.\n"]
    for name, preset in PRESETS.items():
        rows = [(code(field), code(plain(value)), source) for field, (value, source) in preset.values.items()]
        parts.append(f"### `{name}`\n\n{preset.title}.\n\n{table(('field of radio', 'value', 'source'), rows)}\n")
    return "\n".join(parts)


def _sense() -> str:
    """Return the section on what is noted of a scenario."""
    rows = [(rule.name, rule.when) for rule in RULES]
    return f"## What makes no sense\n\n{_NOTED}\n{table(('note', 'given when'), rows)}\n"


def section_entries() -> Iterator[SectionEntry]:
    """Yield the scenario and every section in it, in the order in which they first stand in it."""
    seen: set[type[BaseModel]] = set()
    yield from _walk(scenario_model(), "", seen, _Schema(scenario_model().model_json_schema()))


class _Schema:
    """A JSON schema and its definitions."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._root = schema

    def properties(self, model: type[BaseModel]) -> dict[str, Any]:
        """The fields of a model."""
        own: dict[str, Any] = self._root["$defs"].get(model.__name__, self._root)["properties"]
        return own


def _walk(model: type[BaseModel], path: str, seen: set[type[BaseModel]], schema: _Schema) -> Iterator[SectionEntry]:
    if model in seen:
        return
    seen.add(model)
    properties = schema.properties(model)
    fields = tuple(
        _field(name, field, properties[name]) for name, field in model.model_fields.items() if not _tag(field)
    )
    kind = next((str(get_args(field.annotation)[0]) for field in model.model_fields.values() if _tag(field)), "")
    yield SectionEntry(model.__name__, path, kind, _docstring(model), fields)
    for name, field in model.model_fields.items():
        below = f"{path}.{name}" if path else name
        for inner in _models(field.annotation):
            yield from _walk(inner, below, seen, schema)


def _field(name: str, field: FieldInfo, schema: dict[str, Any]) -> FieldEntry:
    inside = [inner for inner in _models(field.annotation) if inner.__name__ not in _DISTRIBUTIONS]
    told = field.description or (_docstring(inside[0]) if len(inside) == 1 else "")
    return FieldEntry(name, _type(schema), _unit(name, schema), _bounds(schema), _default(field), told)


def _tag(field: FieldInfo) -> bool:
    """The field only says which of several sections this is."""
    return str(field.annotation).startswith("typing.Literal") and len(get_args(field.annotation)) == 1


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Sections in a type, in the order of their names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif not isinstance(annotation, str | int | float | None):
        for inner in get_args(annotation):
            yield from _models(inner)


def _docstring(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").partition("\n\n")[0].split())


def _variants(schema: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return found


def _type(schema: dict[str, Any]) -> str:
    """The type of a field as people read it, with links to sections."""
    variants = _variants(schema)
    names = [one["$ref"].rpartition("/")[2] for one in variants if "$ref" in one]
    words = [_plain(one) for one in variants if "$ref" not in one and one.get("type") != "null"]
    if set(_DISTRIBUTIONS) <= set(names):
        words.append("[distribution](#distributions)")
        names = [name for name in names if name not in _DISTRIBUTIONS]
    words += [_link(name) for name in names]
    if any(one.get("type") == "null" for one in variants):
        words.append("null")
    return " or ".join(words)


def _plain(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return code(str(schema["const"]))
    if "enum" in schema:
        return " or ".join(code(str(value)) for value in schema["enum"])
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return f"list of {len(schema['prefixItems'])}: {_type(schema['prefixItems'][0])}"
        return f"list of {_type(schema['items'])}"
    if isinstance(inner := schema.get("additionalProperties"), dict):
        return f"mapping of text to {_type(inner)}"
    return _WORDS.get(schema.get("type", ""), "any value")


def _link(model: str) -> str:
    return f"[{model}](#{model})"


def _unit(name: str, schema: dict[str, Any]) -> str:
    if not any("number" in _type(one) or "$ref" in one for one in _variants(schema)):
        return ""
    fitting = [end for end in UNITS if re.search(rf"(^|_){end}$", name)]
    return UNITS[max(fitting, key=len)] if fitting else ""


def _bounds(schema: dict[str, Any]) -> str:
    for one in _variants(schema):
        found = [f"{sign}\u00a0{_number(one[key])}" for key, sign in _BOUNDS.items() if key in one]
        if found:
            return ", ".join(found)
    return ""


def _number(value: float) -> str:
    if isinstance(value, int) and value >= 2**20 and value & (value - 1) == 0:
        return f"2^{value.bit_length() - 1}"
    return f"{value:g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, tuple) and any(isinstance(one, BaseModel) for one in value):
        value = [one.model_dump(exclude_defaults=True) for one in value]
    if not isinstance(value, BaseModel):
        return code(json.dumps(value, ensure_ascii=False))
    kind = getattr(value, "kind", "")
    changed = value.model_dump(exclude_defaults=True)
    return (
        code(json.dumps({**({"kind": kind} if kind else {}), **changed}).replace('"', "")) if kind else "its defaults"
    )


def _section(entry: SectionEntry, title: str, level: str = "##") -> str:
    kind = f"`kind: {entry.kind}`" if entry.kind else ""
    heading = f"{level} {', '.join(filter(None, (title, kind))) or entry.model} {{ #{entry.model} }}"
    if not entry.fields:
        return f"{heading}\n\n{sentence(entry.description)} It has no fields of its own.\n"
    rows = [
        (code(one.name), one.type, one.unit, one.bounds, one.default, sentence(one.description)) for one in entry.fields
    ]
    head = ("field", "type", "unit", "bounds", "default", "what it is")
    return f"{heading}\n\n{sentence(entry.description)}\n\n{table(head, rows)}\n"
