"""What comes after a run has broken: an impatient second Ctrl-C, the same command again, a policy that goes on."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import failed, provenance, said_to_be_partial, started, wait_for_facts
from effort import rest_long

from cosim.cli import main as cli

pytestmark = pytest.mark.usefixtures("home")

RUN = Path("run")
ENDLESS = ("--no-picture", "--out", "run", "--set", "duration_s=1e7", "--set", "trace.part_s=2")
POLICY = """\
import numpy as np
from cosim.decision import Action


class Late:
    def decide(self, observation):
        if observation.time_s > 4:
            return self.decide(observation)
        return Action(np.zeros(len(observation), int))
"""


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen]:
    """The command in a process of its own that ends with the block, also where a test fails in it."""
    with started(*arguments) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_killed_run_is_not_run_over(capfd: pytest.CaptureFixture[str]) -> None:
    """The same command after kill -9 is refused with 2, and what the killed run left stays readable."""
    with running("run", "tiny.yaml", *ENDLESS) as process:
        wait_for_facts(process, RUN)
        process.kill()
        assert process.communicate(timeout=30) == ("", "")
    kept_s = said_to_be_partial(capfd, RUN)
    assert kept_s % 2 == 0
    assert "--out run: is not empty" in failed(capfd, 2, "run", "tiny.yaml", "--out", "run")
    assert said_to_be_partial(capfd, RUN) == kept_s
    assert provenance(RUN)["status"] == "running"


@pytest.mark.parametrize("mobility", rest_long(["libsumo", "synthetic", "traci"]))
@pytest.mark.long
def test_an_impatient_user(capfd: pytest.CaptureFixture[str], mobility: str) -> None:
    """Ctrl-C again and again while the run is being closed is still one line, and the committed facts are kept."""
    moved = () if mobility == "synthetic" else ("--set", "map=intersection", "--set", f"mobility={{kind: {mobility}}}")
    with running("run", "tiny.yaml", *ENDLESS, *moved) as process:
        wait_for_facts(process, RUN)
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(0.01)
            except subprocess.TimeoutExpired:
                continue
        printed, told = process.communicate(timeout=30)
    assert process.returncode == 1, told
    assert printed == ""
    assert told.startswith("cosim: interrupted; ")
    assert told.count("\n") == 1
    assert said_to_be_partial(capfd, RUN) > 0


def test_an_interrupted_recording() -> None:
    """Ctrl-C while traffic is recorded ends with 1 and one line, and leaves no half recording under its name."""
    endless = ("--set", "duration_s=1e7", "--set", "mobility.vehicles=500")
    with running("map", "record", "tiny.yaml", "traffic.parquet", *endless) as process:
        deadline = time.monotonic() + 30
        while not list(Path().glob(".building-*/*.parquet")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 1, told
    assert told.startswith("cosim: interrupted")
    assert told.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["tiny.yaml"]


def test_a_policy_without_end(capfd: pytest.CaptureFixture[str], home: Path) -> None:
    """A decide() that calls itself for ever ends the run with 1; its facts are kept, and the next run is sound."""
    (home / "late.py").write_text(POLICY)
    arguments = ("--policy", "late.py:Late", "--set", "duration_s=20", "--set", "trace.part_s=2", "--no-picture")
    line = failed(capfd, 1, "run", "tiny.yaml", *arguments, "--out", "run")
    assert "policy late.py:Late failed at t=4.1 s (RecursionError: " in line
    assert line.endswith("; correct its decide() at late.py:7\n")
    assert said_to_be_partial(capfd, RUN) == 4.0
    assert provenance(RUN)["status"] == "partial"
    assert cli.status(["run", "tiny.yaml", "--out", "again", "--no-picture"]) == 0
    assert cli.status(["trace", "verify", "again"]) == 0
