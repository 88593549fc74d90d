"""`cosim compare` and `cosim evaluate`: the same seeds for every policy, kept runs, tables that are the same again."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_calls import answer, refused

from cosim.cli import main as cli
from cosim.experiments import runs
from cosim.trace.store.provenance import read_provenance

SCENARIO = """\
name: tiny
duration_s: 6
mobility: {kind: synthetic, vehicles: 12}
sites: {kind: listed, sites: [{name: a, x_m: 300, y_m: 20}, {name: b, x_m: 700, y_m: 20}]}
statistics: {batches: 2}
"""
MINE = """\
import numpy as np
from cosim.decision import Action
class Mine:
    def decide(self, observation):
        return Action(option=np.zeros(len(observation), np.int64))
"""


THREE = "local,mine.py:Mine,greedy-latency"


def furnish(folder: Path) -> None:
    """Put a scenario and a policy into a folder."""
    (folder / "tiny.yaml").write_text(SCENARIO)
    (folder / "mine.py").write_text(MINE)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scenario and a policy, and we in it."""
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of three policies on two seeds, done; not to be changed."""
    home = tmp_path_factory.mktemp("finished")
    furnish(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        assert cli.status(comparing(THREE, 2)) == 0
    return home


@pytest.fixture
def compared(home: Path, finished: Path) -> Path:
    """A copy of it, and we in its folder."""
    shutil.copytree(finished / "study", home / "study")
    return home


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="") as source:
        return list(csv.DictReader(source))


def comparing(policies: str, seeds: int, *arguments: str) -> list[str]:
    """A comparison in the folder `study`, in this process if no `--jobs` follows."""
    options = ["--policies", policies, "--seeds", str(seeds), "--out", "study", "--jobs", "1"]
    return ["compare", "tiny.yaml", *options, *arguments]


def evaluating(policy: str, seeds: int, *arguments: str) -> list[str]:
    """An evaluation in this process."""
    return ["evaluate", "tiny.yaml", "--policy", policy, "--seeds", str(seeds), "--jobs", "1", *arguments]


def test_a_comparison(capsys: pytest.CaptureFixture[str], compared: Path) -> None:
    """A row for each policy and seed, all on the same tasks; a picture, and run folders that `trace diff` reads."""
    home = compared
    capsys.readouterr()
    assert cli.status(comparing(THREE, 2)) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "the same arrivals and traffic under every policy: checked" in said.out
    rows = table(home / "study" / "compare.csv")
    assert [(row["policy"], row["seed"]) for row in rows] == [
        (policy, seed) for seed in ("1", "2") for policy in ("local", "Mine", "greedy-latency")
    ]
    for row in rows:
        stored = read_provenance(home / "study" / row["policy"] / f"seed{row['seed']}")
        assert (stored.digest, stored.status, stored.seed) == (row["digest"], "complete", int(row["seed"]))
    by_seed = {row["seed"]: row["released"] for row in rows}
    assert all(row["released"] == by_seed[row["seed"]] for row in rows)
    assert by_seed["1"] != by_seed["2"]
    same = [row for row in rows if row["policy"] in ("local", "Mine")]
    assert len({row["digest"] for row in same}) == 2  # ours is local by another name
    assert (home / "study" / "compare.png").stat().st_size > 10_000
    assert cli.status(["trace", "diff", "study/local/seed1", "study/greedy-latency/seed1"]) == 0


def test_differences_are_paired(capsys: pytest.CaptureFixture[str], compared: Path) -> None:
    """A policy against itself under another name differs by nothing; against another it is told seed by seed."""
    told = answer(capsys, *comparing(THREE, 2, "--metric", "latency_mean"))
    first, same, other = told["standings"]
    assert first["difference"] is None
    assert (same["difference"]["low"], same["difference"]["high"], same["lower"], same["higher"]) == (0.0, 0.0, 0, 0)
    assert same["value"] == first["value"]
    rows = table(compared / "study" / "compare.csv")
    latency = {(row["policy"], row["seed"]): float(row["latency_mean_s"]) for row in rows}
    gains = [latency["greedy-latency", str(seed)] - latency["local", str(seed)] for seed in (1, 2)]
    assert other["difference"]["value"] == pytest.approx(sum(gains) / 2)
    assert other["lower"] + other["higher"] == 2


def test_what_is_there_is_not_run_again(capsys: pytest.CaptureFixture[str], compared: Path) -> None:
    """The same command with more seeds leaves the old runs as they are and adds; what a kill has left is redone."""
    study = compared / "study"
    manifest = study / "local" / "seed1" / "manifest.json"
    before = manifest.stat().st_mtime_ns
    rows = [row for row in table(study / "compare.csv") if row["policy"] == "local"]
    left = study / "local" / ".building-0a1b2c3d"
    shutil.copytree(study / "local" / "seed1", left / "seed3")
    (left / ".lock").touch()
    assert cli.status(comparing("local", 3)) == 0
    assert manifest.stat().st_mtime_ns == before
    assert not left.exists()
    assert table(study / "compare.csv")[:2] == rows
    assert len(table(study / "compare.csv")) == 3
    capsys.readouterr()


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.long
def test_the_table_depends_on_nothing_else(capsys: pytest.CaptureFixture[str], home: Path, jobs: str) -> None:
    """In another process, with another PYTHONHASHSEED and another number of jobs, table and output are the same.

    That process compares rules, and imports neither torch nor gymnasium.
    """
    capsys.readouterr()
    assert cli.status(comparing("random,nearest", 2, "--jobs", jobs)) == 0
    said, found = capsys.readouterr(), (home / "study" / "compare.csv").read_bytes()
    shutil.rmtree(home / "study")
    code = (
        f"import sys; from cosim.cli import main as cli; assert cli.status({comparing('random,nearest', 2)!r}) == 0;"
        "print(sorted({'torch', 'pennylane', 'gymnasium', 'stable_baselines3'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "99"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (home / "study" / "compare.csv").read_bytes() == found
    assert (done.stdout, done.stderr) == (said.out + "[]\n", "")
    assert said.err == ""


def test_changed_policies_are_not_mixed(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """A folder with runs of a file that has changed since, or of another scenario, is refused and stands."""
    command = comparing("mine.py:Mine", 1)
    assert cli.status(command) == 0
    before = (home / "study" / "compare.csv").read_bytes()
    told = refused(capsys, *command, "--set", "duration_s=5")
    assert "study/Mine/seed1: holds a run of another scenario or --set: duration_s was 6.0, now 5.0; give" in told
    (home / "mine.py").write_text(MINE + "\n# changed\n")
    assert "its file has changed since; give another --out" in refused(capsys, *command)
    assert (home / "study" / "compare.csv").read_bytes() == before


def test_a_policy_beside_the_scenario(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """A policy's file is watched where it is found first: beside the scenario, then here."""
    (home / "case").mkdir()
    (home / "tiny.yaml").rename(home / "case" / "tiny.yaml")
    (home / "case" / "mine.py").write_text(MINE)
    command = ["compare", "case/tiny.yaml", *comparing("mine.py:Mine", 1)[2:]]
    assert cli.status(command) == 0
    (home / "mine.py").write_text(MINE + "\n# changed\n")
    assert cli.status(command) == 0
    (home / "case" / "mine.py").write_text(MINE + "\n# changed\n")
    assert "its file has changed since" in refused(capsys, *command)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["local,nope"], "no such policy"),
        (["local,local"], "local is given twice"),
        (["local,"], "--policies 'local,': an empty name"),
        (["mine.py"], "mine.py: names no class; classes with decide: Mine; give mine.py:Mine"),
        (["runs/none"], "policy = runs/none: no such folder or file"),
        (["local", "--set", "duration_s=-1"], "duration_s"),
        (["gone.ckpt"], "gone.ckpt"),
        (["empty"], "empty: holds no trained agent"),
        (["mine.py:Yours"], "has no class Yours"),
        (["local", "--seeds", "0"], "--seeds"),
        (["local", "--map", "nowhere"], "map=nowhere: no such map"),
        (["local", "--out", "tiny.yaml/study"], "cannot be made: not a directory; give another --out"),
    ],
)
def test_bad_input(capsys: pytest.CaptureFixture[str], home: Path, arguments: list[str], told: str) -> None:
    """What cannot be compared is one line with 2, and no folder is made."""
    (home / "empty").mkdir()
    assert told in refused(capsys, *comparing(arguments[0], 1, *arguments[1:]))
    assert not (home / "study").exists()


def test_an_unknown_figure(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """Which figures there are is known from the first finished run: it is the only one, and is not run again."""
    command = comparing("local,random", 3)
    assert "--metric joy: no such figure; use epoch_cost" in refused(capsys, *command, "--metric", "joy")
    (run,) = home.glob("study/*/seed*")
    before = (run / "manifest.json").stat().st_mtime_ns
    assert "--metric joy" in refused(capsys, *command, "--metric", "joy")
    assert list(home.glob("study/*/seed*")) == [run]
    assert cli.status(comparing("local", 1)) == 0
    assert (run / "manifest.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("call", ["train --agent ddpg", "evaluate --policy local", "compare --policies local", "paper"])
def test_an_empty_folder_name(capsys: pytest.CaptureFixture[str], home: Path, call: str) -> None:
    """`--out ""`, as of a variable that is not set, is not taken for the folder we are in."""
    name, *options = call.split()
    told = refused(capsys, name, "S1" if name == "paper" else "tiny.yaml", *options, "--out", "")
    assert told == "cosim: an empty name of a folder is given; name one, as --out runs/mine\n"
    assert sorted(path.name for path in home.iterdir()) == ["mine.py", "tiny.yaml"]


def test_an_impossible_run_leaves_nothing(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """What only the run finds out is one line with 2 as well, and leaves no folder."""
    command = comparing("local,random", 2, "--set", "tasks.arrivals={kind: file, file: gone.csv}")
    assert "gone.csv" in refused(capsys, *command)
    assert not (home / "study").exists()


def test_a_taken_folder(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """A folder with something else in it is refused, and nothing is added to it."""
    (home / "study").mkdir()
    (home / "study" / "diary.txt").write_text("dear diary")
    assert "is taken by something else" in refused(capsys, *comparing("local", 1))
    assert [path.name for path in (home / "study").iterdir()] == ["diary.txt"]


def test_a_policy_that_breaks(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """A policy that fails in a run ends the command with 1 and one line; finished runs of the others are kept."""
    (home / "bad.py").write_text("class Bad:\n    def decide(self, observation):\n        raise ValueError('oh')\n")
    assert cli.status(comparing("local,bad.py:Bad", 1)) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "policy bad.py:Bad failed at t=" in said
    assert (home / "study" / "local" / "seed1").is_dir()
    assert not (home / "study" / "Bad").exists()
    (home / "bad.py").write_text(MINE.replace("Mine", "Bad"))  # mended: it has no runs that it could be mixed with
    assert cli.status(comparing("local,bad.py:Bad", 1)) == 0
    capsys.readouterr()


def test_a_policy_that_breaks_alone(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """Nothing is left of a comparison without a run, be it by a failure or by Ctrl-C."""
    (home / "bad.py").write_text("class Bad:\n    def decide(self, observation):\n        raise ValueError('oh')\n")
    assert cli.status(comparing("bad.py:Bad", 2)) == 1
    assert not (home / "study").exists()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "work", interrupted)
        assert cli.status(comparing("local", 2)) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told == "cosim: interrupted; no run is finished; run the same command again to go on"
    assert not (home / "study").exists()


def interrupted(*_: object) -> None:
    """Ctrl-C at once."""
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("number", "jobs"),
    [
        (signal.SIGINT, "1"),
        pytest.param(signal.SIGINT, "2", marks=pytest.mark.long),
        *[pytest.param(signal.SIGTERM, jobs, marks=pytest.mark.long) for jobs in "12"],
    ],
)
def test_interrupted_and_gone_on(
    capsys: pytest.CaptureFixture[str], home: Path, number: signal.Signals, jobs: str
) -> None:
    """Ctrl-C or SIGTERM: 1, one line that says how to go on, only whole runs kept, no process left; then it goes on."""
    command = comparing("local,random", 6, "--jobs", jobs)
    long = [*command, "--set", "duration_s=100"]
    with subprocess.Popen(
        [sys.executable, "-m", "cosim.cli.main", *long], stderr=subprocess.PIPE, text=True
    ) as process:
        deadline_s = time.monotonic() + 300
        while not list(home.glob("study/*/seed*")) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        process.send_signal(number)
        told = process.communicate(timeout=300)[1]
    assert process.returncode == 1
    assert told == "cosim: interrupted; finished runs are kept in study; run the same command again to go on\n"
    finished = sorted(home.glob("study/*/seed*"))
    assert 0 < len(finished) < 12
    assert not list(home.glob("study/*/.*"))
    assert all(read_provenance(run).status == "complete" for run in finished)
    assert "holds a run of another scenario" in refused(capsys, *command)


def test_an_evaluation(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """One policy on several seeds: every figure with an interval; kept only with --out, and then the same again."""
    assert cli.status(evaluating("nearest", 2)) == 0
    said = capsys.readouterr().out
    assert "--policy '': an empty name" in refused(capsys, "evaluate", "tiny.yaml", "--policy", "")
    assert "policy nearest, seeds 1 to 2" in said
    assert "latency, mean" in said
    assert sorted(path.name for path in home.iterdir()) == ["mine.py", "tiny.yaml"]
    command = evaluating("nearest", 2, "--first-seed", "5", "--out", "kept")
    told = answer(capsys, *command)
    assert [run["seed"] for run in told["runs"]] == [5, 6]
    assert told["kpis"]["released"]["low"] <= told["kpis"]["released"]["value"] <= told["kpis"]["released"]["high"]
    assert answer(capsys, *command) == told


def test_another_map(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """--map runs the scenario on that map's roads with live SUMO and its own sites; the traffic is the map's."""
    command = evaluating("greedy-latency", 1, "--map", "intersection")
    told = answer(capsys, *command, "--set", "duration_s=3", "--out", "kept")
    assert told["map"] == "intersection"
    stored = read_provenance(home / "kept" / "greedy-latency" / "seed1").scenario
    assert (stored["map"], stored["mobility"]["kind"], stored["sites"]["kind"]) == ("intersection", "libsumo", "map")
    assert stored["mobility"]["step_s"] == 1.0


@pytest.mark.parametrize("command", ["train", "evaluate", "compare", "paper"])
def test_help_has_examples(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """The help of each command shows how it is used."""
    assert cli.status([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert "Examples:" in said
    assert f"cosim {command} " in said
