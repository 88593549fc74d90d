"""A run that is resumed: executed again, compared with its record, and the same in the end as without interruption."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from effort import LONG, rest_long
from hashes import rehashed
from interrupted_runs import ALL_PARTS, interrupted, snapshots, stop_at, turner, written

from cosim.audit.verify import verify
from cosim.cli import main as cli
from cosim.errors import InputError
from cosim.locks import take_lock
from cosim.observe import Observer
from cosim.resuming import fork, resume
from cosim.runner import simulate
from cosim.scenario.load import load
from cosim.trace.store.past import DifferenceError
from cosim.trace.store.reader import Trace


@pytest.fixture
def moody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that does not exist yet and from then on changes what the policy of `turner` answers."""
    monkeypatch.setenv("MOOD", str(tmp_path / "mood"))
    return tmp_path / "mood"


def everything(folder: Path) -> dict[str, bytes]:
    """The bytes of every file, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run that Ctrl-C has ended; to be copied."""
    home = tmp_path_factory.mktemp("stopped")
    loaded = load("per_task", ["duration_s=4", "statistics.warmup_s=0", "trace.part_s=1", "mobility.vehicles=10"])
    return interrupted(loaded, home / "run", 2.6)


@pytest.fixture
def run(stopped: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(stopped, tmp_path / "copy"))


@pytest.mark.usefixtures("moody")
def test_a_kill_at_every_sync_of_a_file(tmp_path: Path) -> None:
    """Killed between any two files of a set, of the start or of the end, with all parts and knobs: it is resumed."""
    loaded, run = turner(tmp_path), tmp_path / "run"
    with snapshots(run, tmp_path, lambda count: LONG or count in (3, 4, 40)) as taken:
        whole = simulate(loaded, run)
    kept = written(run)
    assert len(taken) >= 2
    last = json.loads((taken[-1] / "manifest.json").read_text())["state"]
    for killed in taken:
        if json.loads((killed / "provenance.json").read_text())["status"] == "complete":
            continue
        result = resume(killed)
        assert result.digest == whole.digest, killed.name
        assert verify(killed).ok, verify(killed).lines
        assert written(killed) == kept, killed.name
    assert not LONG or last == "complete"  # killed between its last facts and its provenance


@pytest.mark.usefixtures("moody")
@pytest.mark.parametrize("first_s", rest_long([2.2, 0.0, 2.6]))
def test_interrupted_again_and_again(tmp_path: Path, first_s: float) -> None:
    """Interrupted before the record is passed, a resume leaves every byte; after that it is a longer partial run."""
    loaded = turner(tmp_path)
    whole = simulate(loaded, tmp_path / "whole")
    run = interrupted(loaded, tmp_path / "run", first_s)
    assert verify(run).complete_to_s <= first_s
    left = everything(run)
    with pytest.raises(KeyboardInterrupt):
        resume(run, stop_at(first_s / 2))
    assert everything(run) == left
    second_s = min(first_s + 1.3, 3.5)
    with pytest.raises(KeyboardInterrupt):
        resume(run, stop_at(second_s))
    report = verify(run)
    assert report.ok, report.lines
    assert first_s - 1.0 < report.complete_to_s <= second_s
    result = resume(run)
    assert (result.digest, result.facts) == (whole.digest, whole.facts)
    assert verify(run).ok
    assert written(run) == written(tmp_path / "whole")


@pytest.mark.long
@pytest.mark.usefixtures("moody")
def test_a_kill_in_the_resume(tmp_path: Path) -> None:
    """Killed at any sync of a resume that writes a set anew, also one that was cut short, it can be resumed again."""
    loaded = turner(tmp_path)
    whole = simulate(loaded, tmp_path / "whole")
    run = interrupted(loaded, tmp_path / "run", 2.3)
    with snapshots(run, tmp_path, lambda count: count in (1, 5) or (LONG and count % 3 == 0)) as taken:
        resume(run)
    for killed in taken:
        assert verify(killed).ok or "was not finished" in "".join(verify(killed).lines), verify(killed).lines
        if json.loads((killed / "provenance.json").read_text())["status"] != "complete":
            assert resume(killed).digest == whole.digest
            assert written(killed) == written(tmp_path / "whole")


def test_a_stopped_run_ends_at_a_tick(stopped: Path) -> None:
    """What was recorded after the last tick, half of what happened perhaps, is not kept."""
    with Trace.open(stopped) as trace:
        assert trace.complete_to_s == 2.0
        ended = trace.sql("SELECT max(time_s) AS last FROM task_ended")["last"][0]
        decided = trace.sql("SELECT max(time_s) AS last FROM task_decided")["last"][0]
    assert max(ended, decided) <= 2.0


@pytest.mark.parametrize("knob", rest_long(["option", "detector", "share", "power_w", "cpu_share", "proposer"], keep=2))
def test_another_answer(tmp_path: Path, moody: Path, knob: str) -> None:
    """A policy that answers otherwise in any knob ends the resume with one line that has the epoch; no byte changes."""
    loaded = turner(tmp_path, knob)
    run = interrupted(loaded, tmp_path / "run", 2.6)
    left = everything(run)
    moody.write_text("1.5")
    with pytest.raises(DifferenceError) as caught:
        resume(run)
    line = str(caught.value)
    with Trace.open(run) as trace:
        times = trace.sql("SELECT DISTINCT time_s FROM task_decided ORDER BY time_s").time_s.tolist()
    number = next(
        place for place, time_s in enumerate(times, 1) if f"at t={time_s:g} s, decision epoch {place}," in line
    )
    assert 1.5 <= times[number - 1] <= 2.0
    kind = {"option": "target is", "detector": "detector_turned", "proposer": "proposer_asked"}.get(knob, f"{knob} is")
    assert kind in line or (knob == "option" and "tier is" in line)
    assert "decides otherwise than before" in line
    assert "\n" not in line
    assert everything(run) == left
    assert cli.status(["run", "--resume", str(run)]) == 1
    moody.unlink()
    resume(run)
    assert verify(run).ok


def test_other_traffic(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that itself comes out otherwise is told as that, not as the policy's doing; no byte changes."""
    left = everything(run)
    observe = Observer.observe

    def later(self: Observer, now_s: float, columns: Any) -> Any:
        found = observe(self, now_s, columns)
        object.__setattr__(found, "wire_s", found.wire_s + 1e-9)
        return found

    monkeypatch.setattr(Observer, "observe", later)
    with pytest.raises(
        DifferenceError, match=r"does not come out as it was recorded: at t=.*, decision epoch 1, .*expec"
    ):
        resume(run)
    assert everything(run) == left


def said(file: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    """An edit of a JSON file by an author who computes its hashes anew."""

    def edit(run: Path) -> None:
        values = json.loads((run / file).read_text())
        change(values)
        (run / file).write_text(json.dumps(values))
        rehashed(run)

    return edit


def cut_part(run: Path) -> None:
    """Change a byte of a part."""
    part = next(run.glob("task_ended/*.parquet"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(bytes(content))


def byte_of(name: str) -> Callable[[Path], object]:
    """A change of a figure in a file of the folder."""

    def edit(run: Path) -> None:
        text = (run / name).read_text()
        (run / name).write_text(text.replace('"seed": 1', '"seed": 2', 1).replace('"rows": ', '"rows": 1', 1))

    return edit


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "a part": (cut_part, "was altered: task_ended"),
    "a lost part": (
        lambda run: next(run.glob("host_sampled/*.parquet")).unlink(),
        "was altered: host_sampled: .*missing",
    ),
    "the manifest": (byte_of("manifest.json"), "was altered|broken"),
    "the provenance": (byte_of("provenance.json"), "was altered: provenance.json: its values were changed"),
    "the map": (lambda run: (run / "ground.json.gz").write_bytes(b"x"), "was altered: ground.json.gz"),
    "a package": (
        said("provenance.json", lambda p: p["versions"].update(numpy="1.0")),
        r"is of another version \(numpy 1\.0, here ",
    ),
    "cosim": (said("provenance.json", lambda p: p["versions"].update(cosim="9.9")), r"another version \(cosim 9\.9"),
    "the schema": (said("manifest.json", lambda m: m.update(schema_version=3)), r"another version \(schema 3"),
    "defaults": (lambda run: (run / "provenance.json").unlink(), "was altered: provenance.json: is missing"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_resumed(run: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An altered run or one of another version is refused in one line with 2, and stays as it is."""
    edit, told = BAD[case]
    edit(run)
    left = everything(run)
    with pytest.raises(InputError, match=told):
        resume(run)
    assert cli.status(["run", "--resume", str(run)]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert everything(run) == left


def test_a_run_that_is_finished_or_in_use(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that another process writes, and one that has reached its end, is refused in one line with 2."""
    lock = take_lock(run)
    assert lock is not None
    left = everything(run)
    assert cli.status(["run", "--resume", str(run)]) == 2
    assert "another process writes this run" in capsys.readouterr().err
    assert everything(run) == left
    lock.release(remove=True)
    assert cli.status(["run", "--resume", str(run), "--no-picture", "--quiet"]) == 0
    left = everything(run)
    assert cli.status(["run", "--resume", str(run)]) == 2
    assert "is finished, there is nothing to resume" in capsys.readouterr().err
    assert everything(run) == left


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--resume", "nothing"], "nothing: not a run folder"),
        (["--resume", "copy", "--seed", "2"], "give nothing else"),
        (["per_task", "--resume", "copy"], "give nothing else"),
        (["--resume", "copy", "--policy", "local"], "another future by `cosim fork copy`"),
        ([], "Missing argument 'SCENARIO'"),
    ],
)
def test_what_is_given_beside(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    """A resumed run takes nothing that would make it another."""
    monkeypatch.chdir(run.parent)
    left = everything(run)
    assert cli.status(["run", *words]) == 2
    assert told in capsys.readouterr().err
    assert everything(run) == left


@pytest.mark.usefixtures("moody")
def test_files_that_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy's file and those of the scenario are found from anywhere, and have to be what they were."""
    scenario = tmp_path / "home" / "mine.yaml"
    scenario.parent.mkdir()
    (scenario.parent / "arrivals.csv").write_text(
        "time_s,vehicle_id\n1.0,car00000000\n2.0,car00000001\n3.0,car00000002\n"
    )
    turner(scenario.parent)
    scenario.write_text(
        "name: mine\nduration_s: 4\nmobility: {kind: synthetic, vehicles: 5, length_m: 300}\n"
        "sites: {kind: listed, sites: [{name: a, x_m: 100, y_m: 10}]}\nstatistics: {warmup_s: 0}\n"
        "tasks: {arrivals: {kind: file, file: arrivals.csv}}\npolicy: turner.py:Turner\ntrace: {part_s: 1}\n"
    )
    run = interrupted(load(scenario), tmp_path / "run", 1.9)
    monkeypatch.chdir(tmp_path)
    left = everything(run)
    for name in ("turner.py", "arrivals.csv"):
        kept = (scenario.parent / name).read_text()
        (scenario.parent / name).write_text(f"{kept}\n")
        with pytest.raises(InputError, match=rf"{name} (has changed|than is there now)"):
            resume(run)
        (scenario.parent / name).unlink()
        with pytest.raises(InputError, match=rf"{name}"):
            resume(run)
        assert everything(run) == left
        (scenario.parent / name).write_text(kept)
    assert resume(run).facts > 0
    assert verify(run).ok
    own = fork(run, 1.5, ["statistics.warmup_s=1"], tmp_path / "own")
    assert own.digest == verify(run).digest
    (scenario.parent / "turner.py").write_text("")
    with pytest.raises(InputError, match=r"turner\.py has changed since the run began"):
        fork(run, 1.5, ["statistics.warmup_s=1"], tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_run_that_was_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its scenario's files are found from a run that moved with them, and from where one stands beside them."""
    home = tmp_path / "project" / "scenarios"
    home.mkdir(parents=True)
    (home / "mine.yaml").write_text(
        "duration_s: 3\nmobility: {kind: synthetic, vehicles: 5, length_m: 300}\nstatistics: {warmup_s: 0}\n"
        "sites: {kind: listed, sites: [{name: a, x_m: 100, y_m: 10}]}\ntasks: {arrivals: {kind: file, file: a.csv}}\n"
    )
    (home / "a.csv").write_text("time_s,vehicle_id\n1.0,car00000000\n2.0,car00000001\n")
    run = interrupted(load(home / "mine.yaml"), tmp_path / "project" / "runs" / "a", 0.9)
    assert str(tmp_path) not in (run / "provenance.json").read_text()
    with pytest.raises(InputError, match=r"a\.csv"):
        resume(Path(shutil.copytree(run, tmp_path / "alone")))
    monkeypatch.chdir(home)
    digest = resume(tmp_path / "alone").digest
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project").rename(tmp_path / "moved")
    assert resume(tmp_path / "moved" / "runs" / "a").digest == digest


@pytest.mark.usefixtures("moody")
def test_every_network_wide_knob_is_a_fact(tmp_path: Path) -> None:
    """Detector and proposer are facts wherever a policy turned them, and kinds without rows where it did not."""
    run = simulate(turner(tmp_path), tmp_path / "run").folder
    with Trace.open(run) as trace:
        times = "SELECT DISTINCT time_s FROM task_decided"
        epochs = trace.sql(f"SELECT time_s, row_number() OVER (ORDER BY time_s) AS n FROM ({times}) ORDER BY n")
        figures = "count(*) AS links, max(detector) AS most, min(detector) AS least"
        turned = trace.sql(f"SELECT time_s, {figures} FROM detector_turned GROUP BY time_s ORDER BY time_s")
        asked = trace.sql("SELECT time_s, site FROM proposer_asked ORDER BY time_s")
        links = int(trace.sql("SELECT count(*) AS n FROM key_link_deployed").n[0])
        sites = int(trace.sql("SELECT count(*) AS n FROM site_deployed WHERE x_m IS NOT NULL").n[0])
    assert turned.time_s.tolist() == epochs.time_s[epochs.n % 3 != 0].tolist()
    assert set(turned.links) == {links}
    assert (turned.least.min(), turned.most.max()) == (1e-6, 1.0)  # as far as a detector goes
    assert asked.time_s.tolist() == epochs.time_s[epochs.n % 2 != 0].tolist()
    assert asked.site.tolist() == [n % sites for n in epochs.n[epochs.n % 2 != 0]]
    plain = simulate(load("per_task", ALL_PARTS), tmp_path / "plain")
    assert not {"detector_turned", "proposer_asked"} & plain.digests.keys()
