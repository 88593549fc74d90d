"""Gives the command to a tiny scenario, in this process or in one of its own, and looks at what it leaves."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cosim.cli import main as cli

TINY = """\
name: tiny
duration_s: 2
policy: random
mobility: {kind: synthetic, vehicles: 4, length_m: 400}
sites: {kind: listed, sites: [{name: a, x_m: 200, y_m: 10}]}
statistics: {batches: 2}
"""


def tree(folder: Path) -> list[str]:
    """Every file and folder below."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def failed(capfd: pytest.CaptureFixture[str], status: int, *arguments: object) -> str:
    """The only line on stderr of a command that ends with `status` and prints nothing else."""
    capfd.readouterr()
    assert cli.status([str(argument) for argument in arguments]) == status
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("cosim: ")
    assert printed.err[:-1].isprintable()
    return printed.err


def refused(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The line of a run that is refused with 2 and leaves nothing behind in the working directory."""
    before = tree(Path())
    line = failed(capfd, 2, "run", *arguments, "--no-picture")
    assert tree(Path()) == before
    return line


def said_to_be_partial(capfd: pytest.CaptureFixture[str], run: Path) -> float:
    """Simulated time up to which a stopped run is there: it verifies, can be summed up and says how to go on."""
    capfd.readouterr()
    assert cli.status(["trace", "verify", str(run)]) == 0
    verdict = capfd.readouterr().out
    assert f"{run}: ok: partial run, complete to t = " in verdict
    assert f"for the rest: cosim run --resume {run}" in verdict
    assert cli.status(["trace", "summary", str(run)]) == 0
    assert "partial, complete to t = " in capfd.readouterr().out
    manifest = json.loads((run / "manifest.json").read_text())
    return float(manifest["complete_to_s"])


def provenance(run: Path) -> dict[str, Any]:
    """What provenance.json says."""
    said: dict[str, Any] = json.loads((run / "provenance.json").read_text())
    return said


@contextmanager
def started(
    *arguments: object, code: str = "from cosim.cli.main import main; main()", **environment: str
) -> Iterator[subprocess.Popen]:
    """The command in a process of its own, which does not outlive the test."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def wait_for_facts(process: subprocess.Popen, run: Path) -> None:
    """Wait until a run has committed something."""
    deadline = time.monotonic() + 30
    manifest = run / "manifest.json"
    while not (manifest.is_file() and json.loads(manifest.read_text())["complete_to_s"] > 0):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
