"""What public functions say of their parameters, and what the public face shows by examples."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import cosim_agents
import pytest

import cosim

PACKAGES = tuple(Path(str(package.__file__)).parent for package in (cosim, cosim_agents))
ENOUGH = 3
"""From so many parameters on each is described."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public_functions(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, Function]]:
    """Public functions and methods of public classes; overloads are left out."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body, f"{node.name}.")
        elif isinstance(node, Function) and not node.name.startswith("_") and not is_overload(node):
            yield owner + node.name, node


def is_overload(function: Function) -> bool:
    """Whether a definition only gives types."""
    return any("overload" in ast.unparse(decorator) for decorator in function.decorator_list)


def parameters(function: Function) -> list[str]:
    """Names of a function's parameters without `self` and `cls`."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def undescribed(function: Function) -> list[str]:
    """Parameters that a function of three or more does not describe under `Args:`."""
    names = parameters(function)
    if len(names) < ENOUGH:
        return []
    said = (ast.get_docstring(function) or "").partition("Args:")[2]
    described = {name for line in re.findall(r"^ +([\w, ]+):", said, re.MULTILINE) for name in line.split(", ")}
    return [name for name in names if name not in described]


def test_parameters_are_described() -> None:
    """Every public function of three or more parameters describes each; the help of commands does so for theirs."""
    found = {}
    for root in PACKAGES:
        for path in sorted(root.rglob("*.py")):
            if path.parent != PACKAGES[0] / "cli":
                for name, function in public_functions(ast.parse(path.read_text(encoding="utf-8")).body):
                    if names := undescribed(function):
                        found[f"{path.relative_to(root.parent)}: {name}"] = names
    assert found == {}


def test_a_missing_description_is_found() -> None:
    """A parameter without a line under `Args:` is named."""
    text = 'def f(a_m, b_s, c):\n    """Add.\n\n    Args:\n        a_m: Metres.\n        c: Rest.\n    """\n'
    assert [undescribed(function) for _, function in public_functions(ast.parse(text).body)] == [["b_s"]]


@pytest.mark.parametrize("name", sorted({*cosim.__all__} - {"__version__"}))
def test_the_face_has_examples(name: str) -> None:
    """Each public name of `cosim` has an example, or names one that has; `test_docstring_examples.py` runs them."""
    said = str(getattr(cosim, name).__doc__)
    referred = re.search(r"see `(\w+)` for an example", said)
    assert ">>> " in (str(getattr(cosim, referred[1]).__doc__) if referred else said)
