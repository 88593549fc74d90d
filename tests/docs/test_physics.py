"""docs/physics.md: each check and each kind of a model is on it, and no number is further off than it says."""

import ast
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Literal, get_args, get_origin

import physics
import pytest
from pydantic import BaseModel

from cosim.scenario.reward import Reward
from cosim.scenario.schema import Choice, Exponential, Lognormal, Scenario, Uniform
from cosim.scenario.twin_placement import PlacementStudy
from cosim.validation import checks
from cosim.validation.doctor import Check

ROOT = Path(__file__).parents[2]
MODELS = {
    "Radio": ("radio",),
    "Wires and WAN": ("backhaul", "cloud"),
    "Hosts": ("compute", "energy"),
    "Tasks": ("tasks",),
    "Quantum keys": ("keys",),
    "Ledger": ("ledger",),
    "Digital twin": ("twin",),
}
"""Parts of the page, and the sections of a scenario whose models they tell of."""
BESIDE = {"Tasks": Reward, "Digital twin": PlacementStudy}
"""Sections that are not at the top of a scenario."""
OTHERS = {"policy", "statistics", "mobility", "sites", "decisions", "trace"}
"""Sections that choose no model, apart from the reward in `decisions`."""
DISTRIBUTIONS = {Uniform, Exponential, Lognormal, Choice}
"""Told once, with the tasks."""


@pytest.fixture(scope="module")
def quick() -> list[Check]:
    """All checks of the doctor, those that estimate from few jobs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "_JOBS", 400)
        patch.setattr(checks, "_SCHEDULES", 2)
        return list(checks.validate())


def test_every_check_has_a_row(quick: list[Check]) -> None:
    """Each line of `cosim doctor --validate` is a row, and each row that is no test is such a line."""
    lines = [row.where for row in physics.rows() if not row.where.startswith("tests/")]
    assert sorted(lines) == sorted(check.name for check in quick)


def test_every_test_of_a_row_is_there_and_measures() -> None:
    """Each test that a row names exists and compares what it has seen with the page."""
    named = [row.where for row in physics.rows() if row.where.startswith("tests/")]
    assert len(named) == len(set(named)) > 40
    for where in named:
        file, _, name = where.partition("::")
        assert (ROOT / file).exists(), where
        functions = {
            node.name: node
            for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef)
        }
        assert name in functions, where
        assert "seen" in _calls(name, functions, set()), f"{where} does not call physics.seen"


def _calls(name: str, functions: dict[str, ast.FunctionDef], known: set[str]) -> set[str]:
    """Names of what a function of a module calls, directly and through others of the module."""
    if name not in functions or name in known:
        return set()
    known.add(name)
    calls = [node.func for node in ast.walk(functions[name]) if isinstance(node, ast.Call)]
    found = {one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in calls}
    return found.union(*(_calls(one, functions, known) for one in sorted(found)))


def test_every_test_that_measures_has_a_row() -> None:
    """A module that compares itself with the page is named by it."""
    own = {Path(__file__), ROOT / "tests/support/physics.py"}
    files = {row.where.partition("::")[0] for row in physics.rows()}
    for file in (ROOT / "tests").rglob("test_*.py"):
        text = file.read_text(encoding="utf-8")
        if file not in own and ("from physics import" in text or "import physics" in text):
            assert file.relative_to(ROOT).as_posix() in files, file


def test_exact_checks_err_no_more_than_told(quick: list[Check]) -> None:
    """What a check without an interval measured is as near to its law as its row says."""
    exact = [check for check in quick if check.low is None]
    assert len(exact) >= 11
    _compare(exact)


@pytest.mark.long
def test_no_check_errs_more_than_told() -> None:
    """Nor does one that estimates, with all its jobs."""
    _compare(list(checks.validate()))


def _compare(done: list[Check]) -> None:
    stated = {row.where: row for row in physics.rows()}
    for check in done:
        row = stated[check.name]
        assert check.error is not None, check.name
        assert row.unit == ("dB" if check.unit == "dB" else ""), check.name
        assert check.error <= row.most, f"{check.name}: {check.error:.3g}, docs/physics.md states {row.error:g}"


def test_a_check_tells_what_its_text_says(quick: list[Check]) -> None:
    """Expected and measured value, unit and error belong together; an interval holds the measured value."""
    for check in quick:
        assert check.expected is not None, check.name
        assert check.measured is not None, check.name
        if check.name != "vote after silence and loss":
            gap = abs(check.measured - check.expected)
            assert check.error == (gap if check.unit == "dB" else gap / abs(check.expected)), check.name
        if check.low is not None:
            assert check.low <= check.measured <= check.high, check.name


def test_a_larger_error_is_found(quick: list[Check], monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that states less than a check sees fails, and so does a test that sees more than its row."""
    told = [physics.Row(row.where, row.error / 2.0, row.unit) for row in physics.rows()]
    monkeypatch.setattr(physics, "rows", lambda: told)
    with pytest.raises(AssertionError, match="path loss, urban"):
        _compare([check for check in quick if check.low is None])
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/radio_models/test_link.py::test_cap (call)")
    physics.seen([2.0], [2.0])
    with pytest.raises(AssertionError, match="test_cap saw"):
        physics.seen([2.0 + 1e-9], [2.0])
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/radio_models/test_link.py::test_new[1] (call)")
    with pytest.raises(AssertionError, match=r"no row for tests/radio_models/test_link.py::test_new"):
        physics.seen([2.0], [2.0])


def choices(kind: object, known: set[object]) -> Iterator[str]:
    """Everything that may be chosen by a word in a section and those below it."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind not in known:
            known.add(kind)
            for field in kind.model_fields.values():
                yield from choices(field.annotation, known)
    elif get_origin(kind) is Literal:
        yield from (choice for choice in get_args(kind) if isinstance(choice, str))
    elif isinstance(kind, UnionType) or get_origin(kind) is not None:
        for part in get_args(kind):
            yield from choices(part, known)


@pytest.mark.parametrize("part", MODELS)
def test_every_kind_is_named(part: str) -> None:
    """Each `kind`, and each other choice by a word, of a section that chooses models stands in its part of the page."""
    known: set[object] = set() if part == "Tasks" else set(DISTRIBUTIONS)
    kinds = [Scenario.model_fields[section].annotation for section in MODELS[part]]
    found = {choice for kind in (*kinds, BESIDE.get(part)) for choice in choices(kind, known)}
    assert found - physics.named(part) == set()


def test_no_section_is_forgotten() -> None:
    """A section of a scenario has a part of the page, or chooses no model."""
    told = {section for sections in MODELS.values() for section in sections}
    sections = {name for name, field in Scenario.model_fields.items() if _has_section(field.annotation)}
    assert sections == told | OTHERS


def _has_section(kind: object) -> bool:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return True
    return any(_has_section(part) for part in get_args(kind))


def test_every_file_that_is_named_is_there() -> None:
    """Tests that the text names beside the tables exist."""
    for name in physics.named():
        file = name.partition("::")[0]
        if name.startswith("tests/"):
            assert (ROOT / file).exists(), name
