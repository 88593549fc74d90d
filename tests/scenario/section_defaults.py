"""The default of every field of every section of a scenario, against the committed ones in defaults.json.

`python tests/scenario/section_defaults.py` writes the file anew, and refuses where an identity could then be mistaken.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic_core import to_jsonable_python

from cosim.scenario.identity import DEFAULTS, whole
from cosim.scenario.schema import Scenario
from cosim.scenario.section import Section

PINNED = Path(__file__).with_name("defaults.json")
ANEW = "then run `python tests/scenario/section_defaults.py` and commit defaults.json"
RAISE = f"raise DEFAULTS in cosim/scenario/identity.py, {ANEW}"


def sections(root: type[Section]) -> list[type[Section]]:
    """The models of all sections that can be in a scenario."""
    found = [root]
    for model in found:
        for field in model.model_fields.values():
            found.extend(one for one in _models(field.annotation) if one not in found)
    return found


def _models(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def defaults(root: type[Section]) -> dict[str, Any]:
    """By section and field, as `Radio.bandwidth_hz`; what is required has none."""
    return {
        f"{model.__name__}.{name}": to_jsonable_python(field.get_default(call_default_factory=True))
        for model in sections(root)
        for name, field in model.model_fields.items()
        if not field.is_required()
    }


def problems(pinned: dict[str, Any], number: int, now: dict[str, Any]) -> list[str]:
    """What to do before the pinned defaults, of a number of `DEFAULTS`, are those of now; nothing if they are."""
    before = pinned["values"]
    added = [f"{path} is new, with the default {now[path]!r}: {ANEW}" for path in now if path not in before]
    told = changed(before, now)
    if pinned["number"] != number:
        return [f"DEFAULTS is {number}, defaults.json is of {pinned['number']}: {ANEW}"]
    return [*(f"{one}: old and new runs would have one run id: {RAISE}" for one in told), *added]


def changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Defaults that are others, or are gone: a scenario that leaves the field out means something else than before."""
    fresh = [(path.partition(".")[2], value) for path, value in now.items() if path not in before]
    gone = [f"{path} is gone, its default was {before[path]!r}" for path in before if path not in now]
    other = [
        f"the default of {path} was {before[path]!r} and is {now[path]!r}"
        for path in before
        if path in now and whole({path: before[path]}) != whole({path: _without(fresh, before[path], now[path])})
    ]
    return [*gone, *other]


def _without(fresh: list[tuple[str, Any]], before: Any, now: Any) -> Any:
    """The default of a field that is a section, without new fields at their own defaults, which are looked at alone."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return now
    return {
        name: _without(fresh, before.get(name), value)
        for name, value in now.items()
        if name in before or (name, value) not in fresh
    }


def main() -> int:
    """Write the file anew; 1 if a default has changed under the same number."""
    now = defaults(Scenario)
    if PINNED.exists():
        pinned = json.loads(PINNED.read_text(encoding="utf-8"))
        told = changed(pinned["values"], now) if pinned["number"] == DEFAULTS else []
        if told:
            sys.stderr.writelines(f"{one}: {RAISE}\n" for one in told)
            return 1
    lines = ",\n".join(f"  {json.dumps(path)}: {json.dumps(now[path])}" for path in sorted(now))
    PINNED.write_text(f'{{\n "number": {DEFAULTS},\n "values": {{\n{lines}\n }}\n}}\n', encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
