"""A run that breaks in the middle ends with 1 and one line that says how to go on; what it wrote stays readable."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import failed, provenance, said_to_be_partial, started, wait_for_facts

from cosim import cli

pytestmark = pytest.mark.usefixtures("home")

ENDLESS = ("run", "tiny.yaml", "--no-picture", "--out", "run", "--set", "duration_s=1e7", "--set", "trace.part_s=2")
DROWNED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from cosim.cli import main
main()
"""
POLICY = """\
import numpy as np
from cosim.decision import Action


class Late:
    def decide(self, observation):
        if observation.time_s > 4:
            return self.fail(observation)
        return Action(np.zeros(len(observation), int))


class Raises(Late):
    def fail(self, observation):
        raise KeyError("first\\nsecond\\x1b[31m")


class Leaves(Late):
    def fail(self, observation):
        raise SystemExit(0)


class Recurses(Late):
    def fail(self, observation):
        return self.fail(observation)


class TooShort(Late):
    def fail(self, observation):
        return Action(np.zeros(len(observation) + 1, int))


class TooFlat(Late):
    def fail(self, observation):
        return Action(np.zeros((len(observation), 2), int))


class OutOfRange(Late):
    def fail(self, observation):
        return Action(np.full(len(observation), -1))


class NotANumber(Late):
    def fail(self, observation):
        return Action(np.zeros(len(observation), int), share=np.full(len(observation), np.nan))


class Nothing(Late):
    def fail(self, observation):
        return None
"""


@contextmanager
def running(*arguments: str, **options: str) -> Iterator[subprocess.Popen]:
    """The command in a process of its own, stopped in the middle by the block and never left over."""
    with started(*arguments, **options) as process:
        try:
            wait_for_facts(process, Path("run"))
            yield process
        finally:
            process.kill()


def one_line(process: subprocess.Popen) -> str:
    """What the command says at its end with 1."""
    printed, told = process.communicate(timeout=30)
    assert process.returncode == 1, told
    assert printed == ""
    assert told.count("\n") == 1
    assert told.startswith("cosim: ")
    return str(told)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run(capfd: pytest.CaptureFixture[str], sent: signal.Signals) -> None:
    """Ctrl-C and a batch system's SIGTERM end a run with 1 and one line; facts up to the last tick are kept."""
    with running(*ENDLESS) as process:
        process.send_signal(sent)
        line = one_line(process)
    assert "interrupted; what was written is kept; look at it with `cosim trace summary run` or run again" in line
    assert provenance(Path("run"))["status"] == "partial"
    assert said_to_be_partial(capfd, Path("run")) > 0


def test_a_stopped_run_with_sumo(capfd: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C for the whole terminal ends cosim and the SUMO beside it."""
    with running(*ENDLESS, "--set", "map=intersection", "--set", "mobility={kind: traci}") as process:
        (sumo,) = children(process)
        process.send_signal(signal.SIGINT)
        assert "interrupted" in one_line(process)
        assert not Path(f"/proc/{sumo}").exists()
    assert said_to_be_partial(capfd, Path("run")) > 0


def test_a_killed_run(capfd: pytest.CaptureFixture[str]) -> None:
    """After kill -9 a run is readable up to its last commit and verifies as partial; its folder is not run over."""
    with running(*ENDLESS) as process:
        process.kill()
        assert process.communicate(timeout=30) == ("", "")
    assert provenance(Path("run"))["status"] == "running"
    assert said_to_be_partial(capfd, Path("run")) % 2 == 0
    assert "--out run: is not empty" in failed(capfd, 2, "run", "tiny.yaml", "--out", "run")


def test_a_killed_run_with_sumo(capfd: pytest.CaptureFixture[str]) -> None:
    """SUMO's process does not outlive a cosim that was killed."""
    with running(*ENDLESS, "--set", "map=intersection", "--set", "mobility={kind: traci}") as process:
        (sumo,) = children(process)
        process.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{sumo}/fd").exists() and running_still(sumo):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert said_to_be_partial(capfd, Path("run")) > 0


def test_sumo_killed(capfd: pytest.CaptureFixture[str]) -> None:
    """SUMO killed in the middle ends the run with 1 and one line that says when; the trace before is kept."""
    with running(*ENDLESS, "--set", "map=intersection", "--set", "mobility={kind: traci}") as process:
        (sumo,) = children(process)
        os.kill(sumo, signal.SIGKILL)
        line = one_line(process)
    assert "SUMO ended at t=" in line
    assert "killed by signal 9" in line
    assert said_to_be_partial(capfd, Path("run")) > 0


def test_a_full_disk(capfd: pytest.CaptureFixture[str]) -> None:
    """A part that does not fit ends the run with 1 and one line that says up to when the facts are kept."""
    changes = ("--set", "mobility.vehicles=400", "--set", "trace.positions=true", "--set", "trace.part_s=1")
    small = ("--set", "tasks.arrivals.rate_per_s=0.001", "--set", "duration_s=1000")
    growing = "tasks.arrivals.profile=[{time_s: 0, factor: 1}, {time_s: 5, factor: 1}, {time_s: 6, factor: 9999}]"
    command = (*ENDLESS, *changes, *small, "--set", growing)
    with started(*command, code=DROWNED) as process:
        line = one_line(process)
    assert "cosim: run: the trace cannot be written (File too large); facts up to t=" in line
    assert "free space or give another --out, then run again" in line
    kept_s = said_to_be_partial(capfd, Path("run"))
    assert kept_s > 0
    assert f"facts up to t={kept_s:g} s are kept" in line


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Raises", "KeyError: 'first"),
        ("Leaves", "SystemExit: 0"),
        ("Recurses", "RecursionError"),
        ("TooShort", ""),
        ("TooFlat", ""),
        ("OutOfRange", ""),
        ("NotANumber", ""),
        ("Nothing", ""),
    ],
)
def test_a_policy_that_fails(capfd: pytest.CaptureFixture[str], home: Path, name: str, told: str) -> None:
    """A decide() that raises or answers nonsense in the middle ends the run with 1 and one line; the trace is kept."""
    (home / "late.py").write_text(POLICY)
    arguments = ("--policy", f"late.py:{name}", "--set", "duration_s=20", "--set", "trace.part_s=2")
    line = failed(capfd, 1, "run", "tiny.yaml", *arguments, "--out", "run", "--no-picture")
    assert f"policy late.py:{name} " in line
    assert "at t=4." in line
    assert "correct its decide()" in line
    assert told in line
    assert said_to_be_partial(capfd, Path("run")) == 4.0
    assert provenance(Path("run"))["status"] == "partial"
    assert cli.status(["run", "tiny.yaml", "--out", "again", "--no-picture"]) == 0


def children(process: subprocess.Popen) -> list[int]:
    """Processes that it has started."""
    tasks = Path(f"/proc/{process.pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def running_still(pid: int) -> bool:
    """Neither gone nor waiting for its parent to look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
