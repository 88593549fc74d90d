"""Presets of a scenario's radio: named sets of values with their sources, over which a scenario writes its own.

A preset is a way of writing: it is resolved when a scenario is checked, the resolved values are what a run is, and
identity and provenance hold those alone. A later version whose preset has other values alters no stored run.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from cosim.scenario.preset_values import PRESETS
from cosim.scenario.section import Section


def plain(value: float | str) -> str:
    """Return a value of a preset as a scenario file has it.

    >>> plain(20e6), plain(0.0115), plain("mcs")
    ('20e6', '0.0115', 'mcs')
    """
    if isinstance(value, str):
        return value
    million = value / 1e6
    return f"{million:g}e6" if million >= 1 else f"{value:g}"


def preset_section(name: str) -> dict[str, Any]:
    """Return the values of a preset as a `radio` section has them.

    >>> preset_section("lte_10mhz")["bandwidth_hz"]
    10000000.0
    """
    section: dict[str, Any] = {}
    for field, (value, _) in PRESETS[name].values.items():
        *path, last = field.split(".")
        here = section
        for part in path:
            here = here.setdefault(part, {})
        here[last] = value
    return section


def preset_of(scenario: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the preset of a scenario as written gives, by section; nothing without a known one.

    >>> preset_of({"radio": {"preset": "lte_20mhz"}})["radio"]["link"]
    {'kind': 'mcs'}
    """
    radio = scenario.get("radio")
    name = radio.get("preset") if isinstance(radio, Mapping) else None
    return {"radio": preset_section(name)} if isinstance(name, str) and name in PRESETS else {}


def changed_fields(radio: Section, name: str) -> list[str]:
    """Return the fields of a preset that a radio has otherwise, dotted; of a section of another kind, its kind alone."""
    other = [field for field, (value, _) in PRESETS[name].values.items() if _field(radio, field) != value]
    return [field for field in other if f"{field.rpartition('.')[0]}.kind" not in other or field.endswith(".kind")]


def _field(section: Any, field: str) -> Any:
    for part in field.split("."):
        section = getattr(section, part, None)
    return section


def over_preset(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `radio` section as written with what its preset gives below.

    What is written wins, null too. Of a section that is written as a mapping without `kind`, or with the preset's,
    single fields win; one of another kind, or one given as an object, replaces the preset's.

    Args:
        written: keys as written; `preset` names a known preset.
    """
    return _laid_over(preset_section(written["preset"]), written)


def _laid_over(below: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    return {**below, **{key: _either(below.get(key), value) for key, value in written.items()}}


def _either(below: Any, written: Any) -> Any:
    if not (isinstance(below, Mapping) and isinstance(written, Mapping)):
        return written
    own = below.get("kind")
    return _laid_over(below, written) if written.get("kind", own) == own else written


def spelled_out(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section as written with objects in it as mappings of all their values: an object is given whole."""
    return {key: value.model_dump() if isinstance(value, BaseModel) else value for key, value in written.items()}


def mark_written(section: Section, written: Mapping[str, Any]) -> None:
    """Leave only what was written in the sets of given fields, so that the rest follows when the preset is changed.

    Args:
        section: a section that was just made, with what a preset gave.
        written: keys as written.
    """
    section.model_fields_set.intersection_update(written)
    for name, value in written.items():
        inner = getattr(section, name, None)
        if isinstance(inner, Section) and isinstance(value, Mapping):
            mark_written(inner, value)
