"""Changes to a scenario from the command line: `--set radio.bandwidth_hz=20e6`."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from cosim.errors import InputError
from cosim.scenario.document import Location, parse, shown
from cosim.scenario.presets import preset_of
from cosim.scenario.schema import Scenario

_Begun: TypeAlias = list[tuple[Location, dict[str, Any], str]]
"""Sections that the file does not have: place, content and the default's kind."""


def apply(data: dict[str, Any], overrides: Sequence[str]) -> dict[Location, str]:
    """Write each `key.path=value` into `data`; the value is read as YAML 1.2, a number in the path is a list index.

    A section that is missing has the `kind` of the radio's preset or else of its default, unless an override gives one; a
    missing list begins with the default's items.

    Returns:
        The text of each override by its location, for error messages.

    Raises:
        InputError: no `=`, an empty path, an index out of range, or a value that is not YAML.

    Example:
        >>> data = {"radio": {"bandwidth_hz": 10e6}}
        >>> _ = apply(data, ["radio.bandwidth_hz=20e6", "seed=3"])
        >>> data
        {'radio': {'bandwidth_hz': 20000000.0}, 'seed': 3}
    """
    origins: dict[Location, str] = {}
    begun: _Begun = []
    defaults = Scenario().model_dump(mode="json")
    for override in overrides:
        path, equals, text = override.partition("=")
        parts = path.strip().split(".")
        if not equals or not all(parts):
            raise InputError(f"--set {shown(override)}: is not key.path=value; write for example --set duration_s=60")
        origin = f"--set {shown(override, 100)}"
        value = parse(text, origin, numbered=False).data
        location, started = _write(data, defaults, parts, value, origin)
        origins[location] = origin
        begun += started
    _set_kinds(begun, preset_of(data))
    return origins


def _set_kinds(begun: _Begun, preset: dict[str, Any]) -> None:
    """Give sections that were begun the kind of their default, unless an override or the preset gives one."""
    for location, section, kind in begun:
        if not isinstance(_at(preset, location), dict):
            section.setdefault("kind", kind)


def _at(data: Any, location: Location) -> Any:
    for key in location:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _write(data: dict[str, Any], defaults: Any, parts: list[str], value: Any, origin: str) -> tuple[Location, _Begun]:
    here: Any = data
    location: Location = ()
    begun: _Begun = []
    for depth, part in enumerate(parts):
        key: str | int = _index(here, part, origin) if isinstance(here, list) else part
        location = (*location, key)
        defaults = _default(defaults, key)
        if depth == len(parts) - 1:
            here[key] = value
            break
        below = here.get(key) if isinstance(here, dict) else here[key]
        if not isinstance(below, dict | list):
            here[key] = _section(location, below, defaults)
            if isinstance(defaults, dict) and "kind" in defaults:
                begun.append((location, here[key], defaults["kind"]))
        here = here[key]
    return location, begun


def _index(items: list[Any], part: str, origin: str) -> int:
    if not (part.isascii() and part.isdigit() and len(part) < 9 and int(part) < len(items)):
        raise InputError(f"{origin}: {shown(part)} is not an index of a list of {len(items)}; indexes start at 0")
    return int(part)


def _default(defaults: Any, key: str | int) -> Any:
    if isinstance(defaults, dict):
        return defaults.get(str(key))
    if isinstance(defaults, list) and isinstance(key, int) and key < len(defaults):
        return defaults[key]
    return None


def _section(location: Location, written: Any, default: Any) -> Any:
    """Return the section with which a path below a missing or short-hand section starts, without its kind."""
    if location == ("policy",) and isinstance(written, str):
        return {"name": written}
    if location == ("policy",) and isinstance(default, dict):
        return dict(default)
    if isinstance(default, list):
        return [dict(item) if isinstance(item, dict) else item for item in default]
    return {}
