"""`--set key.path=value` changes a scenario before it is checked."""

from pathlib import Path
from typing import Any

import pytest
from rich_scenario import RICH

from cosim.errors import InputError
from cosim.scenario.load import Loaded, load
from cosim.scenario.schema import Scenario


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    path = tmp_path / "rich.yaml"
    path.write_text(RICH)
    return path


def at(loaded: Loaded, path: str) -> Any:
    """The value at a dotted path of the checked scenario."""
    here: Any = loaded.scenario
    for part in path.split("."):
        here = here[int(part)] if part.isdigit() else here.get(part) if isinstance(here, dict) else getattr(here, part)
    return here


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("radio.bandwidth_hz=10e6", "radio.bandwidth_hz", 10e6),
        ("tasks.classes.0.deadline_s=0.5", "tasks.classes.0.deadline_s", 0.5),
        ("tasks.classes.0.deadline_s={kind: exponential, mean: 2}", "tasks.classes.0.deadline_s.mean", 2),
        ("policy=local", "policy.name", "local"),
        ("policy.options.bonus=3", "policy.options", {"bonus": 3}),
        ("policy=own.py:Class", "policy.name", "own.py:Class"),
        ("cloud=null", "cloud", None),
        ("decisions.knobs=[power]", "decisions.knobs", ("power",)),
        ("name=no", "name", "no"),
        ("name=a=b", "name", "a=b"),
        ("tasks.arrivals.type_factor.bus=9", "tasks.arrivals.type_factor.bus", 9),
    ],
)
def test_values_are_yaml(rich: Path, override: str, path: str, value: object) -> None:
    """A value is read as YAML 1.2 and lands at its path."""
    assert at(load(rich, [override]), path) == value


def test_sections_that_are_not_written(tmp_path: Path) -> None:
    """A path into a section that the file leaves out starts from the default's kind, name or items."""
    path = tmp_path / "short.yaml"
    path.write_text("policy: local\n")
    loaded = load(
        path,
        ["mobility.step_s=0.5", "tasks.classes.0.deadline_s=0.2", "cloud.cores=4", "policy.options.x=1"],
    )
    assert loaded.scenario.mobility == Scenario().mobility.model_copy(update={"step_s": 0.5})
    assert at(loaded, "tasks.classes.0.deadline_s") == 0.2
    assert at(loaded, "tasks.classes.0.name") == "default"
    assert at(loaded, "cloud.cores") == 4
    assert at(loaded, "policy.name") == "local"


def test_the_last_of_two_wins(rich: Path) -> None:
    """Overrides are applied in order."""
    assert load(rich, ["seed=1", "seed=2"]).scenario.seed == 2


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("radio.bandwidth_hz=-5", "radio.bandwidth_hz = -5: must be greater than 0; use a larger value"),
        ("radio.bandwith_hz=5", "radio.bandwith_hz: is an unknown key; did you mean bandwidth_hz?"),
        ("tasks.classes.2.weight=1", "2 is not an index of a list of 2; indexes start at 0"),
        ("tasks.classes.-1.weight=1", "-1 is not an index of a list of 2; indexes start at 0"),
        ("seed", "is not key.path=value; write for example --set duration_s=60"),
        ("=1", "is not key.path=value; write for example --set duration_s=60"),
        ("radio..x=1", "is not key.path=value; write for example --set duration_s=60"),
        ("name=", "name = null: must be text; put it in quotes"),
        ("duration_s=.inf", ".inf is not a finite number or truth value; give a plain one"),
    ],
)
def test_a_bad_override_names_itself(rich: Path, override: str, told: str) -> None:
    """An error that an override caused names the override, not a line of the file."""
    with pytest.raises(InputError) as caught:
        load(rich, [override])
    assert str(caught.value) == f"--set {override}: {told}"
