"""The identity of a scenario tells what differs from the defaults, all of it, and nothing else."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from any_scenario import SCENARIOS
from effort import drawn
from hypothesis import given
from pydantic import Field, create_model
from rich_scenario import RICH

from cosim.scenario import identity as identities
from cosim.scenario.document import parse
from cosim.scenario.identity import DEFAULTS, identity
from cosim.scenario.load import bundled_scenarios, load
from cosim.scenario.radio import Radio
from cosim.scenario.schema import Scenario
from cosim.scenario.section import Section
from cosim.subjects import Subject


def made(data: Any) -> Scenario:
    """The scenario."""
    return Scenario.model_validate(data)


def differs(scenario: Section) -> Any:
    """What the identity says of it."""
    return json.loads(identity(scenario))["differs"]


def respelled(value: Any) -> Any:
    """The same data with keys the other way round and whole numbers as floats."""
    if isinstance(value, dict):
        return {key: respelled(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return [respelled(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({}, {}),
        ({"duration_s": 600, "radio": {"access": {"kind": "ofdma"}}, "keys": None}, {}),
        ({"seed": 2, "duration_s": 5.0}, {"seed": 2, "duration_s": 5}),
        ({"twin": {}}, {"twin": {}}),
        ({"keys": {"rate": {"kind": "decoy_bb84"}}}, {"keys": {}}),
        ({"keys": {"rate": {"kind": "qib_vec"}}}, {"keys": {"rate": {"kind": "qib_vec"}}}),
        (
            {"mobility": {"kind": "libsumo", "step_s": 0.5, "scale": 1}},
            {"mobility": {"kind": "libsumo", "step_s": 0.5}},
        ),
        (
            {"policy": {"name": "greedy-latency", "options": {"a": 1.0}}},
            {"policy": {"name": "greedy-latency", "options": {"a": 1}}},
        ),
        (
            {"tasks": {"classes": [{"name": "a", "weight": 1}, {"name": "b", "cycles": 1}]}},
            {"tasks": {"classes": [{"name": "a"}, {"name": "b", "cycles": 1}]}},
        ),
        ({"compute": {"vehicle": {"core_hz": 1e9}, "edge": {"cores": 2}}}, {"compute": {"edge": {"cores": 2}}}),
        ({"decisions": {"kind": "periodic", "knobs": []}}, {"decisions": {"kind": "periodic", "knobs": []}}),
    ],
)
def test_what_is_told(data: Any, told: Any) -> None:
    """Sections at their defaults are left out, those that are kept keep their kind, and lists go element by element."""
    assert json.loads(identity(made(data))) == {"defaults": DEFAULTS, "differs": told}


@drawn(150)
@given(SCENARIOS)
def test_the_scenario_can_be_made_again(data: Any) -> None:
    """From what differs, as the text gives it, the same scenario is made: so no two have one text."""
    scenario = made(data)
    assert made(differs(scenario)) == scenario


@drawn(150)
@given(SCENARIOS)
def test_spelling_does_not_matter(data: Any) -> None:
    """Written with all defaults, in another order and with floats for whole numbers, a scenario has the same text."""
    scenario = made(data)
    whole = scenario.model_dump(mode="json")
    again = made({**whole, **{name: respelled(value) for name, value in whole.items() if name != "name"}})
    assert again == scenario
    assert identity(again) == identity(scenario)


@drawn(300)
@given(SCENARIOS, SCENARIOS)
def test_text_and_scenario_are_equal_together(data: Any, more: Any) -> None:
    """Two scenarios, drawn apart or one as the other with sections more, have one text exactly if they are equal."""
    one = made(data)
    for other in (made(more), made({**data, **more}), made({**data, "seed": 1, **dict(list(more.items())[:1])})):
        assert (identity(one) == identity(other)) == (one == other)


def test_truth_values_are_no_numbers() -> None:
    """Options 1 and true are equal in Python, and two identities."""
    texts = {identity(made({"policy": {"name": "a", "options": {"b": value}}})) for value in (1, 1.0, True, "1", [1])}
    assert len(texts) == 4


@pytest.mark.parametrize("name", [*bundled_scenarios(), ""])
def test_bundled_scenarios_can_be_made_again(name: str) -> None:
    """Every bundled scenario, and one with every kind of value, is made again from what differs."""
    scenario = load(name).scenario if name else made(parse(RICH, "rich").data)
    told = differs(scenario)
    assert made(told) == scenario
    assert len(json.dumps(told)) < len(scenario.model_dump_json())


MORE: dict[str, Any] = {"duration_s": 5, "radio": {"bandwidth_hz": 1e6}, "mobility": {"kind": "synthetic"}, "twin": {}}


@pytest.mark.parametrize("data", [{}, MORE, {"radio": {}}])
def test_a_new_field_changes_no_identity(data: Any) -> None:
    """A version of cosim with one field more in the scenario, and one in a section, gives the same text and run id."""
    wider_radio = create_model("Wider", __base__=Radio, beams=(int, Field(4)))
    lens = create_model("Lens", __base__=Section, focus_m=(float, 2.0))
    wider = create_model(
        "Wider",
        __base__=Scenario,
        radio=(wider_radio, Field(default_factory=wider_radio)),
        clouds=(int, Field(0)),
        lens=(lens | None, None),
    )
    assert identity(wider.model_validate(data)) == identity(made(data))
    beams = wider.model_validate({**data, "radio": {**data.get("radio", {}), "beams": 5}})
    assert identity(beams) != identity(made(data))
    assert differs(beams)["radio"]["beams"] == 5


def test_a_grown_number_of_the_defaults_changes_every_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a default's value changes the number grows: then no text is that of an earlier version."""
    before = identity(made(MORE))
    monkeypatch.setattr(identities, "DEFAULTS", DEFAULTS + 1)
    assert json.loads(identity(made(MORE))) == {**json.loads(before), "defaults": DEFAULTS + 1}


def test_a_section_from_outside_is_told_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of the defaults does not count those of other packages, so their sections keep every value."""
    monkeypatch.setattr(identities, "outside", lambda: (Subject("quakes"),))
    quakes = create_model("Quakes", __base__=Section, rate_per_s=(float, 1.0), site=(str, "a"))
    wider = create_model("Wider", __base__=Scenario, quakes=(quakes | None, None))
    assert differs(wider.model_validate({"quakes": {"site": "b"}})) == {"quakes": {"rate_per_s": 1, "site": "b"}}
    assert differs(wider()) == {}


def _identity_in(hash_seed: int) -> list[str]:
    code = (
        "import json; from pydantic import create_model; from cosim.scenario import identity as i; "
        "from cosim.scenario.section import Section; from cosim.scenario.schema import Scenario; "
        "from cosim.subjects import Subject; i.outside = lambda: (Subject('q'),); "
        "S = frozenset[str]; q = create_model('Q', __base__=Section, sites=(S, ...), groups=(tuple[S, ...], ())); "
        "w = create_model('W', __base__=Scenario, q=(q | None, None)); "
        "s = w(q={'sites': [*'hgfedcba'], 'groups': [['y', 'x', 'z']]}); "
        "print(json.dumps([i.identity(s), json.dumps(i.as_json(s))]))"
    )
    env = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env)
    return list(json.loads(done.stdout))


def test_a_set_has_one_order() -> None:
    """Sets of a package's section, nested ones too, are sorted lists in identity and provenance for each hash seed."""
    first, second = _identity_in(1), _identity_in(2)
    assert first == second
    assert json.loads(first[0])["differs"]["q"] == {"sites": [*"abcdefgh"], "groups": [["x", "y", "z"]]}


def test_a_changed_default_of_a_section_leaves_runs_without_it_alone() -> None:
    """Ledgers have had other time-outs by default: the text of a run with one has a number of its own, others not."""
    assert json.loads(identity(made({"ledger": {}}))) == {"defaults": 3, "differs": {"ledger": {}}}
    assert json.loads(identity(made({"twin": {}})))["defaults"] == DEFAULTS == 2
