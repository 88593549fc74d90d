"""Policies by name, from files and from packages; bad ones end in one line."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cosim_agents.registry import make_policy
from observations import random_observation

from cosim.errors import InputError
from cosim.kernel.rng import stream

OWN = """
import numpy as np
from cosim.decision import Action

class Last:
    def __init__(self, bonus: int = 0):
        if bonus > 5:
            raise ValueError("bonus=%d is above 5; lower it" % bonus)
        self.bonus = bonus
    def decide(self, observation):
        return Action(np.argmax(observation.feasible, axis=1))

class Drawn:
    def __init__(self, rng):
        self.rng = rng
    def decide(self, observation):
        return Action(self.rng.integers(0, 1, len(observation)))

class Empty:
    pass
"""


def make(name: str, options: dict[str, Any] | None = None, folder: Path = Path()) -> Any:
    return make_policy(name, options or {}, stream(1, "policy"), folder)


def test_a_file_beside_the_scenario(tmp_path: Path) -> None:
    """`file.py:Class` is found beside the scenario, gets its options and, if it asks, its random stream."""
    (tmp_path / "own.py").write_text(OWN)
    assert make("own.py:Last", {"bonus": 2}, tmp_path).bonus == 2
    assert isinstance(make("own.py:Drawn", folder=tmp_path).rng, np.random.Generator)
    observation = random_observation(np.random.default_rng(1), 3)
    assert make("own.py:Last", folder=tmp_path).decide(observation).option.shape == (3,)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("gredy-latency", {}, "did you mean greedy-latency?"),
        ("xyz", {}, "use local, random, nearest, greedy-latency, round-robin, optimal"),
        ("local", {"foo": 1}, "it takes no options"),
        ("optimal", {"max_assignment": 1}, "it takes max_assignments"),
        ("optimal", {"max_assignments": -1}, "max_assignments=-1 is not a positive whole number"),
        ("random", {"rng": 1}, "rng is not an option"),
        ("missing.py:Class", {}, "no file missing.py"),
        ("own.py:Nothing", {}, "classes with decide: Last, Drawn"),
        ("own.py:", {}, "classes with decide: Last, Drawn"),
        ("own.py:Last", {"bonus": 9}, "bonus=9 is above 5; lower it"),
        ("own.py:Last", {"bonos": 9}, "it takes bonus"),
        ("own.py:Empty", {}, "has no method decide"),
        ("broken.py:Class", {}, "SyntaxError"),
        ("raising.py:Class", {}, "ZeroDivisionError: division by zero"),
        ("leaving.py:Class", {}, "SystemExit"),
        ("a\0b.py:Class", {}, "no file"),
    ],
)
def test_bad_policies_are_one_line(tmp_path: Path, name: str, options: dict[str, Any], told: str) -> None:
    """A policy that does not exist, breaks, or refuses its options is reported in one line with the remedy."""
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "broken.py").write_text("class Class(:\n")
    (tmp_path / "raising.py").write_text("1 / 0\n")
    (tmp_path / "leaving.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(InputError) as caught:
        make(name, options, tmp_path)
    assert told in str(caught.value)
    assert str(caught.value).isprintable()


def test_no_learning_library_is_imported() -> None:
    """Making a rule policy imports neither torch nor PennyLane."""
    code = (
        "import sys, numpy; from cosim_agents.registry import make_policy;"
        "make_policy('optimal', {}, numpy.random.default_rng(1));"
        "print([name for name in ('torch', 'pennylane') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
