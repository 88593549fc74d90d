"""A run that says `running` is read as partial, with what became of its process: it lives, or it is gone."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosim.audit.verify import verify
from cosim.cli import main as cli
from cosim.trace.store.reader import Trace

WRITES = """
import os, signal, sys, time
from pathlib import Path
from small_run import Recorder
recorder = Recorder(Path(sys.argv[1]), 10.0, 240, 1)
recorder.start()
for tick in range(1, 35):
    recorder.tick(tick)
print("written", flush=True)
sys.stdin.read()
recorder.writer.close(False)
"""
GONE = "its process ended without closing it: it is read as a partial run, up to t = 30 s"
ALIVE = "the run goes on: it is read as a partial run, up to t = 30 s"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has written 34 s of a run into `run` and keeps it open until its input ends."""
    command = [sys.executable, "-c", WRITES, str(tmp_path / "run")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()
    if process.stdin is not None:
        process.stdin.close()


def said(run: Path) -> str:
    """What the reader says of it."""
    with Trace.open(run) as trace:
        return trace.unfinished


def test_a_killed_writer(tmp_path: Path, writer: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every command that reads the run says that its process ended without closing it; the audit finds no fault."""
    run = tmp_path / "run"
    assert said(run) == ALIVE
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert said(run) == GONE
    assert json.loads((run / "manifest.json").read_text())["state"] == "running"
    report = verify(run)
    assert report.ok
    assert GONE in report.notes
    assert GONE in report.lines
    for command in (["trace", "summary"], ["trace", "late"], ["report"]):
        assert cli.status([*command, str(run)]) == 0
        assert capsys.readouterr().err.endswith(f"cosim: note: {GONE}\n"), command
    assert GONE in (run / "report.html").read_text()
    assert cli.status(["trace", "summary", str(run), "--json"]) == 0
    assert GONE in json.loads(capsys.readouterr().out)["notes"]
    assert cli.status(["trace", "diff", str(run), str(run)]) == 0
    assert f"A: {GONE}" in capsys.readouterr().err


def test_a_closed_run(tmp_path: Path, writer: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A partial run that was closed says nothing of a process."""
    assert writer.stdin is not None
    writer.stdin.close()
    writer.wait()
    assert said(tmp_path / "run") == ""
    assert cli.status(["trace", "summary", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().err == ""


def test_a_copy_of_a_run_that_goes_on(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    """A copy is nobody's: it stays as it is."""
    assert writer.poll() is None
    subprocess.run(["cp", "-r", str(tmp_path / "run"), str(tmp_path / "copy")], check=True)
    assert said(tmp_path / "copy") == GONE


def test_a_file_system_without_locks(
    tmp_path: Path, writer: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is known of the process, both are said to be possible."""
    assert writer.poll() is None

    def without(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", without)
    assert said(tmp_path / "run").startswith("the run goes on or its process ended without closing it")


def test_a_run_that_is_closed_meanwhile(
    tmp_path: Path, writer: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is closed between the look at its manifest and that at its lock is not said to be left open."""
    from cosim.trace.store import standing

    def closed(run: Path) -> bool | None:
        assert writer.stdin is not None
        writer.stdin.close()
        writer.wait()
        return still_written(run)

    still_written = standing.is_written
    monkeypatch.setattr(standing, "is_written", closed)
    assert said(tmp_path / "run") == ALIVE
