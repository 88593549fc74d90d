"""One name for one thing: no public class or function of the packages has the name of another."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cosim_agents

import cosim

PACKAGES = tuple(Path(str(package.__file__)).parent for package in (cosim, cosim_agents))


def public_names(root: Path) -> Iterator[tuple[str, str]]:
    """Names that a package's modules define at their top, with the module; overloads count once."""
    for path in sorted(root.rglob("*.py")):
        defined = (
            node.name
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        )
        for name in dict.fromkeys(name for name in defined if not name.startswith("_")):
            yield name, str(path.relative_to(root.parent))


def twice(found: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    """Names with more than one home."""
    homes: dict[str, list[str]] = defaultdict(list)
    for name, module in found:
        homes[name].append(module)
    return {name: modules for name, modules in homes.items() if len(modules) > 1}


def test_no_public_name_stands_twice() -> None:
    """Each public class and function of both packages has one home; other modules import it from there."""
    found = [pair for root in PACKAGES for pair in public_names(root)]
    assert len(found) > 1000
    assert twice(iter(found)) == {}


def test_a_name_that_stands_twice_is_found(tmp_path: Path) -> None:
    """Two modules with a class of one name are told; overloads, private names and imports are not."""
    (tmp_path / "one.py").write_text("class Batch: ...\ndef _f(): ...\ndef g(): ...\ndef g(): ...\n")
    (tmp_path / "two.py").write_text("from one import g\nclass Batch: ...\ndef _f(): ...\n")
    assert twice(public_names(tmp_path)) == {"Batch": [f"{tmp_path.name}/one.py", f"{tmp_path.name}/two.py"]}
