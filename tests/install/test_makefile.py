"""What `make demo` and `make test` install, and when."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> log
if [ "$2" = venv ]; then
  mkdir -p "$3/bin"
  for name in python cosim ruff mypy lint-imports pytest; do cp "$0" "$3/bin/$name"; done
fi
"""
"""Stands for Python and for all programs of the environment that it makes: tells how it was called."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the Makefile and what it depends on."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "python").write_text(PROGRAM)
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def installed(project: Path, target: str, *variables: str) -> list[str]:
    """What `make` has pip install: its arguments after the constraints."""
    (project / "log").write_text("")
    command = ["make", "--directory", str(project), target, f"PYTHON={project / 'python'}", "VENV=env", *variables]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line for line in (project / "log").read_text().splitlines() if " pip install " in line]
    assert ("Fetching torch" in told) == any("[dev" in line for line in lines)
    return [line.partition("constraints.txt ")[2].strip() for line in lines]


def test_each_command_installs_what_it_needs_once(project: Path) -> None:
    """The demo installs no extra, tests add theirs, the long run the site's; again only where pyproject is newer."""
    assert installed(project, "demo") == ["--editable ."]
    assert installed(project, "test") == ["--editable .[dev]"]
    assert installed(project, "test-long") == ["--editable .[docs]"]
    assert [installed(project, target) for target in ("demo", "test", "test-long")] == [[], [], []]
    newer = (project / "env" / ".tests").stat().st_mtime + 1
    os.utime(project / "pyproject.toml", (newer, newer))
    assert installed(project, "demo") == ["--editable ."]


def test_options_of_pip_are_handed_on(project: Path) -> None:
    """`PIP_ARGS` reaches every call of pip."""
    calls = installed(project, "test", "PIP_ARGS=--extra-index-url https://example.org/cpu")
    assert calls == [f"--extra-index-url https://example.org/cpu --editable {what}" for what in (".", ".[dev]")]
