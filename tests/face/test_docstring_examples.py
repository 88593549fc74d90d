"""The examples in docstrings run as they stand."""

import doctest
import importlib
from pathlib import Path

import cosim_agents
import pytest

import cosim


def modules() -> list[str]:
    """Modules of both packages with an example."""
    found = []
    for package in (cosim, cosim_agents):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                parts = path.relative_to(root.parent).with_suffix("").parts
                found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


@pytest.mark.parametrize("name", modules())
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of a module gives what it shows, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert failed == 0
    assert tried > 0
