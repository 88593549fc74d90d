"""Commands without a stream, a home, a temporary folder or memory: one line, or the same work without them."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

import pytest
from effort import rest_long

from cosim.audit.verify import verify
from cosim.cli import main as cli

T = TypeVar("T")
TINY: Final = """\
name: tiny
duration_s: 2
policy: random
mobility: {kind: synthetic, vehicles: 4, length_m: 400}
sites: {kind: listed, sites: [{name: a, x_m: 200, y_m: 10}]}
statistics: {batches: 2}
ledger: {block: {interval_s: 0.5}, validators: [a]}
"""
COMMANDS: Final = {
    "run": "run tiny.yaml --out new",
    "trace sql": "trace sql run 'SELECT * FROM task_ended'",
    "help": "--help",
    "map make": "map make intersection --name new --vehicles 5",
    "compare": "compare tiny.yaml --policies local,random --seeds 1 --jobs 1 --out new",
    "doctor": "doctor",
    "trace summary": "trace summary run",
    "trace task": "trace task run 1",
    "trace late": "trace late run",
    "trace diff": "trace diff run run",
    "trace export": "trace export run --format csv --out new",
    "trace schema": "trace schema",
    "trace verify": "trace verify run",
    "report": "report run --out new.html",
    "scenario list": "scenario list",
    "scenario check": "scenario check tiny.yaml",
    "scenario presets": "scenario presets lte_20mhz",
    "scenario schema": "scenario schema",
    "map list": "map list",
    "map show": "map show intersection",
    "map import": "map import $MAPS/intersection/net.net.xml.gz --name new",
    "map record": "map record tiny.yaml new.parquet",
    "ledger show": "ledger show run",
    "evaluate": "evaluate tiny.yaml --policy local --seeds 1 --jobs 1",
    "train": "train tiny.yaml --agent ddpg --seeds 1 --episodes 1 --epochs 3 --jobs 1 --out new",
    "paper": "paper",
    "version": "--version",
}
BARE: Final[list[dict[str, str | None]]] = [
    {"HOME": "/proc/nowhere", "COSIM_CACHE": None, "XDG_CACHE_HOME": None, "TMPDIR": "/proc/nowhere"},
    {"HOME": None, "COSIM_CACHE": None, "XDG_CACHE_HOME": None},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "1"},
    {"PYTHONIOENCODING": "ascii"},
]
"""Environments that lack what is usual."""
LOST: Final = "cosim: stdout: {}; what was to be printed is lost, files that were written are whole; redirect stdout\n"
QUIET_FILES: Final = {
    "run": "new",
    "map make": "new/SOURCE.toml",
    "trace export": "new/codes.csv",
    "report": "new.html",
}
"""What some commands write beside what they print."""


def dealt(variants: Sequence[T]) -> list[tuple[str, T]]:
    """Each command with one of the variants in turn, and a run with all of them, first."""
    others = [name for name in COMMANDS if name != "run"]
    return [("run", one) for one in variants] + [(name, variants[k % len(variants)]) for k, name in enumerate(others)]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a scenario and a run of it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    assert cli.status(["run", "tiny.yaml", "--out", "run", "--no-picture", "--quiet"]) == 0
    return tmp_path


def shell(command: str, redirected: str, before: str = "", **environment: str | None) -> tuple[int, str, str]:
    """Status, stdout and stderr of a command as a shell runs it.

    Args:
        command: its words.
        redirected: what stands after them.
        before: what the shell does first.
        environment: variables; one that is None is not set.
    """
    maps = Path(__file__).parents[2] / "sumo_maps"
    kept = {**os.environ, "MAPS": str(maps), **{name: text for name, text in environment.items() if text is not None}}
    for name, text in environment.items():
        if text is None:
            kept.pop(name, None)
    words = f"set -o pipefail; {before} {{ '{sys.executable}' -m cosim {command} {redirected}; }}"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, env=kept, check=False, timeout=300)
    return done.returncode, done.stdout, done.stderr


def without_notes(told: str) -> str:
    """The lines of stderr that are no notes."""
    return "".join(line for line in told.splitlines(keepends=True) if not line.startswith("cosim: note: "))


@pytest.mark.parametrize(
    ("name", "stdout"),
    rest_long(dealt([(">&-", "is closed"), (">/dev/full", "no space left on device")]), keep=2),
)
def test_no_stdout(desk: Path, name: str, stdout: tuple[str, str]) -> None:
    """A command does its work all the same, and ends with 1 and one line."""
    redirected, reason = stdout
    status, _, told = shell(COMMANDS[name], redirected)
    assert status == 1
    assert without_notes(told) in (LOST.format(reason), f"cosim: {reason}; make room or correct the path\n")
    if name in QUIET_FILES:
        assert (desk / QUIET_FILES[name]).exists()
    if name == "run":
        assert verify(desk / "new").complete
        assert verify(desk / "new").digest == verify(desk / "run").digest


@pytest.mark.parametrize(
    ("name", "redirected"), rest_long(dealt(["<&- 2>&-", "2>/dev/full", "| head -c 1 > /dev/null"]), keep=1)
)
def test_other_streams(desk: Path, name: str, redirected: str) -> None:
    """Without stdin or stderr all is as before; a reader that has seen enough ends a command silently."""
    status, printed, told = shell(COMMANDS[name], redirected)
    if "|" in redirected:
        assert status in (0, 1)
        assert without_notes(told) == ""
    else:
        assert status == 0
        assert printed
    if name in QUIET_FILES:
        assert (desk / QUIET_FILES[name]).exists()


@pytest.mark.parametrize(("name", "environment"), rest_long(dealt(BARE), keep=1))
def test_a_bare_environment(desk: Path, name: str, environment: dict[str, str | None]) -> None:
    """Without a home that can be written, with another locale or a narrow terminal, a command does what it does."""
    status, printed, told = shell(COMMANDS[name], "", **environment)
    assert "Traceback" not in told
    if name == "doctor" and "HOME" in environment:  # which says that the cache cannot be written
        return
    assert (status, without_notes(told)) == (0, "")
    assert printed
    if name == "run":
        assert verify(desk / "new").digest == verify(desk / "run").digest


@pytest.mark.long
@pytest.mark.parametrize("name", ["run", "trace sql", "report"])
@pytest.mark.parametrize("mib", [400, 2000])
@pytest.mark.usefixtures("desk")
def test_little_memory(name: str, mib: int) -> None:
    """A command that does not get the memory that it asks for ends in one line, or does its work."""
    status, _, told = shell(COMMANDS[name], "", before=f"ulimit -v {mib * 1024};")
    assert "Traceback" not in told
    assert status == 0 or "memory" in told  # also where the C library says so
