"""A run that is stopped: what was committed stays readable and verifies as a partial run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from small_run import END_S, Recorder, provenance

from cosim.audit.verify import verify
from cosim.errors import RunError
from cosim.subjects import fact_kinds
from cosim.trace.facts.run import TaskEnded
from cosim.trace.store.provenance import write_provenance
from cosim.trace.store.reader import Trace

KILLED = """
import os, signal, sys
from pathlib import Path
from small_run import Recorder
recorder = Recorder(Path(sys.argv[1]), 10.0, 240, 1)
recorder.start()
for tick in range(1, 35):
    recorder.tick(tick)
os.kill(os.getpid(), signal.SIGKILL)
"""

FULL = """
import resource, sys
from pathlib import Path
from small_run import Recorder
from cosim.errors import RunError
recorder = Recorder(Path(sys.argv[1]), 20.0, 2000, 1)
recorder.start()
for tick in range(1, 30):
    recorder.tick(tick)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    for tick in range(30, 61):
        recorder.tick(tick)
except RunError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
recorder.writer.close(complete=False)
"""


def started(folder: Path, ticks: int, part_s: float = 10.0) -> Recorder:
    recorder = Recorder(folder, part_s, 240, 1)
    recorder.start()
    for tick in range(1, ticks + 1):
        recorder.tick(tick)
    return recorder


def child(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    return subprocess.run(
        [sys.executable, "-c", code, str(folder)], env=environment, capture_output=True, text=True, check=False
    )


def test_a_killed_run_is_partial(tmp_path: Path) -> None:
    """After kill -9 the committed parts are all there, and the run verifies as partial up to the last commit."""
    ended = child(KILLED, tmp_path / "run")
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    report = verify(tmp_path / "run")
    assert report.ok, report.lines
    assert "partial run, complete to t = 30 s" in report.lines[0]
    with Trace.open(tmp_path / "run") as trace:
        assert 0 < len(trace.table(TaskEnded)) < 240
        assert trace.table(TaskEnded).time_s.max() < 30.0


def test_parts_without_a_commit_do_not_count(tmp_path: Path) -> None:
    """A part that was renamed into place before the kill, but not committed, is not read."""
    recorder = started(tmp_path / "run", 20)
    stray = tmp_path / "run" / "task_ended" / "part-00002.parquet"
    stray.write_bytes((tmp_path / "run" / "task_ended" / "part-00001.parquet").read_bytes())
    assert verify(tmp_path / "run").ok
    with Trace.open(tmp_path / "run") as trace:
        assert trace.sql("SELECT count(*) = count(DISTINCT seq) AS once FROM task_ended").once[0]
        assert sum(len(trace.table(fact)) for fact in fact_kinds()) == recorder.writer.facts


@pytest.mark.parametrize("failing", [0, 2, 5])
def test_a_full_disk_keeps_what_was_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    """When the n-th part of a set cannot be written, the run ends in one line and the sets before stay readable."""
    recorder = started(tmp_path / "run", 19)
    real, calls = pq.write_table, []

    def write(table: object, sink: object, **options: object) -> None:
        calls.append(sink)
        if len(calls) > failing:
            raise OSError(28, "No space left on device")
        real(table, sink, **options)

    monkeypatch.setattr(pq, "write_table", write)
    with pytest.raises(RunError, match=r"No space left on device\); facts up to t=10 s are kept") as caught:
        recorder.tick(20)
    assert "\n" not in str(caught.value)
    recorder.writer.close(complete=False)
    report = verify(tmp_path / "run")
    assert report.ok, report.lines
    assert "partial run, complete to t = 10 s" in report.lines[0]
    assert report.digest == recorder.writer.digest
    assert not list((tmp_path / "run").glob("*/part-00001.parquet"))
    assert not list((tmp_path / "run").rglob("*.tmp"))


@pytest.mark.long
def test_a_real_limit_on_files_is_told(tmp_path: Path) -> None:
    """A limit of the system on the size of files ends the run in one line; the first set stays readable."""
    ended = child(FULL, tmp_path / "run")
    assert ended.returncode == 0, ended.stderr
    assert "File too large); facts up to t=20 s are kept" in ended.stdout
    with Trace.open(tmp_path / "run") as trace:
        assert trace.complete_to_s == 20.0
        assert len(trace.table(TaskEnded)) > 0


def test_ctrl_c_in_the_middle_of_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt while parts are written loses that set and nothing before it."""
    recorder = started(tmp_path / "run", 19)

    def interrupted(*_given: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pq, "write_table", interrupted)
        with pytest.raises(KeyboardInterrupt):
            recorder.tick(20)
    recorder.writer.close(complete=False)
    report = verify(tmp_path / "run")
    assert report.ok, report.lines
    assert report.complete_to_s == 10.0


def test_a_stopped_run_keeps_all_it_has(tmp_path: Path) -> None:
    """A run that is closed before its end keeps its facts up to the last tick and verifies as partial."""
    recorder = started(tmp_path / "run", 25)
    recorder.writer.close(complete=False)
    recorder.writer.close(complete=False)
    write_provenance(tmp_path / "run", provenance(recorder.writer, "partial"))
    report = verify(tmp_path / "run")
    assert report.ok, report.lines
    assert not report.complete
    assert report.complete_to_s == 25.0 < END_S
