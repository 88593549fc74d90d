"""`import cosim` is quick, and has the names that scripts need."""

import ast
import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import cosim

SLOW = ("numpy", "pandas", "pydantic", "scipy", "simpy", "duckdb", "torch", "libsumo")


def test_every_name_is_there() -> None:
    """Each name of `__all__` can be had, is listed by `dir`, and is the object of its own module."""
    for name in cosim.__all__:
        value = getattr(cosim, name)
        assert name in dir(cosim)
        if name != "__version__":
            assert value.__module__ == cosim._HOMES[name]


def test_type_checkers_see_the_same_names() -> None:
    """What is imported for type checkers is what is imported when it is used."""
    tree = ast.parse(Path(str(cosim.__file__)).read_text(encoding="utf-8"))
    seen = {
        alias.name: node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert {name: home for name, home in seen.items() if str(home).startswith("cosim")} == cosim._HOMES
    assert set(cosim.__all__) == {*cosim._HOMES, "__version__"}


def test_importing_it_imports_nothing_slow() -> None:
    """`import cosim` alone imports none of the large packages that it stands on."""
    code = f"import sys, cosim; print(sorted(set({SLOW}) & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def test_an_unknown_name() -> None:
    """A name that is not there is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="module 'cosim' has no attribute 'simulation_of_nothing'"):
        cosim.simulation_of_nothing  # noqa: B018


def test_the_example_runs() -> None:
    """The example of the package's docstring runs as it stands."""
    failed, tried = doctest.testmod(cosim)
    assert (failed, tried) == (0, 5)


def test_it_is_a_command() -> None:
    """`python -m cosim` is the command."""
    ended = subprocess.run(
        [sys.executable, "-m", "cosim", "scenario", "list"], capture_output=True, text=True, check=True
    )
    assert "per_task" in ended.stdout
