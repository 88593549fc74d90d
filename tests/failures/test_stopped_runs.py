"""A run that is stopped from outside ends in one line with 1 and leaves a trace that verifies as a partial run."""

import json
import os
import signal
import stat
import time
from pathlib import Path

import pytest
from commands import failed, provenance, said_to_be_partial, started, wait_for_facts
from effort import LONG, rest_long

from cosim.cli import main as cli

ENDLESS = ["--set", "duration_s=1e6", "--set", "trace.part_s=5", "--no-picture", "--out", "run"]
CROSSING = """\
name: crossing
map: intersection
duration_s: 1e6
mobility: {kind: libsumo}
sites: {kind: map}
trace: {part_s: 5}
"""
LIMITED = """
import resource, sys
from cosim.cli import main as cli
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
sys.exit(cli.status(sys.argv[1:]))
"""
IMPATIENT = """
import os, signal, threading, time
from cosim.cli.main import main
def press():
    while True:
        time.sleep(1.5)
        os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=press, daemon=True).start()
main()
"""


class Disk:
    """Lets a number of files be synced, then is full."""

    def __init__(self) -> None:
        self.synced = 0
        self.room = 10_000

    def sync(self, handle: int) -> None:
        """In place of fsync; the name of a file takes no room."""
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            return
        if self.synced >= self.room:
            raise OSError(28, "No space left on device")
        self.synced += 1


@pytest.fixture
def crossing(home: Path) -> Path:
    """A scenario that SUMO drives."""
    (home / "crossing.yaml").write_text(CROSSING)
    return home


def sumo_of(pid: int) -> int:
    """The SUMO that a process has started."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def wait_for_end(pid: int) -> None:
    """Wait until a process that is not ours is gone or only its parent has to notice."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.02)
    pytest.fail(f"SUMO {pid} still runs")


@pytest.mark.parametrize("number", rest_long([signal.SIGINT, signal.SIGTERM]))
@pytest.mark.parametrize("kind", rest_long(["libsumo", "synthetic", "traci"]))
def test_ctrl_c_and_termination(
    capfd: pytest.CaptureFixture[str], crossing: Path, kind: str, number: signal.Signals
) -> None:
    """Ctrl-C, and SIGTERM as a batch system sends it, end a run with 1 and one line that says where the facts are."""
    scenario = ["tiny.yaml"] if kind == "synthetic" else ["crossing.yaml", "--set", f"mobility.kind={kind}"]
    with started("run", *scenario, *ENDLESS) as process:
        wait_for_facts(process, crossing / "run")
        sumo = sumo_of(process.pid) if kind == "traci" else None
        process.send_signal(number)
        out, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert out == ""
    assert told == (
        "cosim: interrupted; what was written is kept; look at it with `cosim trace summary run`, "
        "go on with `cosim run --resume run`\n"
    )
    assert said_to_be_partial(capfd, Path("run")) > 0
    assert provenance(crossing / "run")["status"] == "partial"
    if sumo is not None:
        wait_for_end(sumo)


def test_ctrl_c_before_the_first_tick(
    capfd: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the parts are being built leaves nothing, and says so."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cosim.assembly.build_topology", interrupted)
    line = failed(capfd, 1, "run", "tiny.yaml", "--out", "deep/run")
    assert "interrupted before the run began; nothing is left of it" in line
    assert not (home / "deep").exists()


@pytest.mark.parametrize("kind", rest_long(["traci", "libsumo"]))
def test_kill_9(capfd: pytest.CaptureFixture[str], crossing: Path, kind: str) -> None:
    """After kill -9 the run folder can be read and verifies up to its last commit, and no SUMO goes on."""
    with started("run", "crossing.yaml", "--set", f"mobility.kind={kind}", *ENDLESS) as process:
        wait_for_facts(process, crossing / "run")
        sumo = sumo_of(process.pid) if kind == "traci" else None
        process.kill()
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert said_to_be_partial(capfd, Path("run")) % 5 == 0
    assert provenance(crossing / "run")["status"] == "running"
    assert cli.status(["trace", "sql", "run", "SELECT count(*) AS n FROM task_ended", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["rows"][0]["n"] >= 0
    if sumo is not None:
        wait_for_end(sumo)


def test_killed_sumo(capfd: pytest.CaptureFixture[str], crossing: Path) -> None:
    """SUMO killed in the middle ends the run with 1 and one line that says when; the facts before it are kept."""
    with started("run", "crossing.yaml", "--set", "mobility.kind=traci", *ENDLESS) as process:
        wait_for_facts(process, crossing / "run")
        os.kill(sumo_of(process.pid), signal.SIGKILL)
        out, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert out == ""
    assert told.startswith("cosim: SUMO ended at t=")
    assert told.endswith("killed by signal 9 (SIGKILL); correct that and run again\n")
    assert told.count("\n") == 1
    end_s = float(told.partition("t=")[2].partition(" s")[0])
    assert 0 < said_to_be_partial(capfd, Path("run")) <= end_s


@pytest.mark.long
def test_a_limit_on_the_size_of_files(capfd: pytest.CaptureFixture[str], home: Path) -> None:
    """When the system refuses a part, the line says up to when the facts are kept and what to do."""
    growing = "tasks.arrivals.profile=[{time_s: 11, factor: 1}, {time_s: 13, factor: 2000}]"
    with started("run", "tiny.yaml", *ENDLESS, "--set", growing, code=LIMITED) as process:
        out, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == ""
    assert told == (
        "cosim: run: the trace cannot be written (File too large); facts up to t=10 s are kept and readable; "
        "free space, then go on with `cosim run --resume run`\n"
    )
    assert said_to_be_partial(capfd, Path("run")) == 10
    assert provenance(home / "run")["status"] == "partial"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk under the trace."""
    disk = Disk()
    monkeypatch.setattr("cosim.trace.store.durable.os.fsync", disk.sync)
    return disk


SHORT_PARTS = ["run", "tiny.yaml", "--set", "trace.part_s=0.5", "--no-picture", "--out"]


def test_a_full_disk(capfd: pytest.CaptureFixture[str], home: Path, disk: Disk) -> None:
    """Whenever the disk fills up: one line with 1, and a run that is partial and readable, or no run folder at all."""
    assert cli.status([*SHORT_PARTS, "all"]) == 0
    total = disk.synced
    assert total > 15
    step = 2 if LONG else 8
    for room in [0, 1, 2, 3, *range(4, total - 1, step)]:
        disk.synced, disk.room = 0, room
        run = home / f"run{room}"
        line = failed(capfd, 1, *SHORT_PARTS, run.name)
        assert "no space left on device" in line.lower()
        if room <= 3:  # the first manifest, the first provenance, the drawn map and the manifest that names it
            assert not run.exists()
            continue
        disk.room = total
        assert said_to_be_partial(capfd, Path(run.name)) <= 2
        assert not list(run.rglob("*.tmp"))


@pytest.mark.usefixtures("home")
def test_a_disk_too_full_for_the_last_provenance(capfd: pytest.CaptureFixture[str], disk: Disk) -> None:
    """A run whose facts are all there but not its provenance is told as broken, and the audit names what lacks."""
    assert cli.status([*SHORT_PARTS, "all"]) == 0
    disk.synced, disk.room = 0, disk.synced - 1
    assert "no space left on device; make room" in failed(capfd, 1, *SHORT_PARTS, "run")
    assert cli.status(["trace", "verify", "run"]) == 1
    assert "provenance.json: was not finished: it says `running`, the trace is complete" in capfd.readouterr().out


def test_a_disk_that_is_full_at_the_very_end(
    capfd: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose last part alone cannot be written is told as broken and verifies as partial, its provenance too."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pyarrow.parquet.write_table", full)
        line = failed(capfd, 1, "run", "tiny.yaml", "--out", "run", "--no-picture")
    assert "facts up to t=0 s are kept" in line
    assert said_to_be_partial(capfd, home / "run") == 0
    assert provenance(home / "run")["status"] == "partial"


def test_ctrl_c_in_a_query(home: Path) -> None:
    """Ctrl-C while the trace is asked ends the command at once, though DuckDB itself does not always hear it."""
    assert cli.status(["run", "tiny.yaml", "--out", "run", "--no-picture"]) == 0
    query = "SELECT count(*) FROM range(1000000000000) AS numbers"
    with started("trace", "sql", "run", query, code=IMPATIENT) as process:
        out, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert (out, told) == ("", "cosim: interrupted; what was written is kept\n")
    assert (home / "run").is_dir()
