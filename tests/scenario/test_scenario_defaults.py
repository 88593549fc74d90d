"""The values of all defaults are pinned: a scenario's identity leaves them out, so a changed one needs a new number."""

import json
from typing import Any

from pydantic import Field, create_model
from section_defaults import PINNED, defaults, problems, sections

from cosim.scenario.identity import DEFAULTS
from cosim.scenario.radio import Radio
from cosim.scenario.schema import Scenario


def test_the_defaults_are_the_pinned_ones() -> None:
    """No default has changed since defaults.json was written; the failure says what to do, field by field."""
    told = problems(json.loads(PINNED.read_text(encoding="utf-8")), DEFAULTS, defaults(Scenario))
    assert not told, "\n".join(told)


def test_all_sections_are_looked_at() -> None:
    """Sections of every depth are found, each under a name of its own, and so are their fields."""
    names = [model.__name__ for model in sections(Scenario)]
    assert len(set(names)) == len(names) > 70
    assert {"Uniform", "FreeSpace", "Misbehaviour", "Reward", "KalmanForecast", "TraciMobility"} <= set(names)
    assert {"Scenario.duration_s", "Umi.shadowing", "QibVecRate.free_space", "Semantic.efficiency"} <= {
        *defaults(Scenario)
    }


def _pinned(values: dict[str, Any], number: int = 1) -> dict[str, Any]:
    return {"number": number, "values": values}


def test_what_a_change_asks_for() -> None:
    """A new field asks for a line; another value and a field that is gone for a number that is raised."""
    wider = create_model("Wider", __base__=Radio, beams=(int, Field(4)))
    now = defaults(wider)
    before = {path: value for path, value in now.items() if path != "Wider.beams"}
    assert problems(_pinned(now), 1, now) == []
    (line,) = problems(_pinned(before), 1, now)
    assert line.startswith("Wider.beams is new, with the default 4: then run ")
    assert "DEFAULTS" not in line
    inside = {"Outer.wider": {"beams": 4, "power": "per_radio"}}
    (line,) = problems(_pinned({**before, "Outer.wider": {"power": "per_radio"}}), 1, {**now, **inside})
    assert line.startswith("Wider.beams is new")
    told = problems(_pinned({**before, "Outer.wider": {"power": "other"}}), 1, {**now, **inside})
    assert len(told) == 2
    assert told[0].startswith("the default of Outer.wider was ")
    (line,) = problems(_pinned({**now, "Wider.beams": 5}), 1, now)
    assert line.startswith("the default of Wider.beams was 5 and is 4: ")
    assert "raise DEFAULTS in " in line
    (line,) = problems(_pinned({**now, "Wider.beams": True, "Wider.lobes": 1}), 1, {**now, "Wider.beams": True})
    assert line.startswith("Wider.lobes is gone, its default was 1: ")
    (line,) = problems(_pinned({**now, "Wider.beams": 5}), 2, now)
    assert line.startswith("DEFAULTS is 2, defaults.json is of 1: then run ")
