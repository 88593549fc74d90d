"""`cosim train`: a folder for each seed, gone on with where it was left; the folder is a policy afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_calls import answer, refused

from cosim import cli
from cosim.errors import InputError
from cosim.experiments import contenders, training
from cosim.scenario.load import load

pytest.importorskip("torch")

SCENARIO = """\
name: tiny
duration_s: 6
mobility: {kind: synthetic, vehicles: 6}
sites: {kind: listed, sites: [{name: a, x_m: 300, y_m: 20}, {name: b, x_m: 700, y_m: 20}]}
statistics: {batches: 2}
decisions: {kind: periodic, period_s: 0.5, candidates: 2, knobs: [target, power]}
"""
SHORT = ["--epochs", "5", "--option", "feature_epochs=10", "--option", "warmup_epochs=2"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scenario, and we in it."""
    (tmp_path / "tiny.yaml").write_text(SCENARIO)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*arguments: str) -> list[str]:
    """A short training of small networks in the folder `study`."""
    return ["train", "tiny.yaml", "--agent", "ddpg", *SHORT, *arguments, "--out", "study"]


def test_train_then_compare(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """Seeds are trained into folders of their own, which then are one policy: its agents take turns over the seeds."""
    assert cli.status(command("--seeds", "2", "--episodes", "3")) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "agent ddpg, 2 seeds; the last 3 of 3 episodes" in said.out
    for seed in (1, 2):
        folder = home / "study" / "ddpg" / f"seed{seed}"
        assert (folder / "checkpoint.ckpt").is_file()
        assert len(training.read_curve(folder / "curve.csv")["reward"]) == 3
    assert (home / "study" / "ddpg" / "curves.png").stat().st_size > 10_000
    told = answer(capsys, "evaluate", "tiny.yaml", "--policy", "study/ddpg", "--seeds", "3")
    agents = [run["agent"] for run in told["runs"]]
    assert agents == [f"study/ddpg/seed{seed}/checkpoint.ckpt" for seed in (1, 2, 1)]
    other = ["evaluate", "tiny.yaml", "--policy", "study/ddpg", "--seeds", "1", "--out", "other"]
    assert "was trained on 30 columns" in refused(capsys, *other, "--set", "decisions.candidates=1")
    assert not (home / "other").exists()


def test_a_second_call_goes_on(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """What is done is skipped; more episodes train on, to what one long training gives; more seeds are added."""
    assert answer(capsys, *command("--seeds", "1", "--episodes", "2"))["trained"] == 1
    checkpoint = home / "study" / "ddpg" / "seed1" / "checkpoint.ckpt"
    before = checkpoint.read_bytes()
    assert answer(capsys, *command("--seeds", "1", "--episodes", "2"))["trained"] == 0
    assert checkpoint.read_bytes() == before
    assert answer(capsys, *command("--seeds", "2", "--episodes", "4"))["trained"] == 2
    longer = checkpoint.read_bytes()
    (home / "study").rename(home / "first")
    assert answer(capsys, *command("--seeds", "1", "--episodes", "4"))["trained"] == 1
    assert checkpoint.read_bytes() == longer != before
    assert "was trained for 4 episodes" in refused(capsys, *command("--seeds", "1", "--episodes", "3"))


def test_lost_files(tmp_path: Path) -> None:
    """A training without its checkpoint is not done; a learning curve that has lost episodes is told, not cut."""
    folder = tmp_path / "ddpg" / "seed1"
    folder.mkdir(parents=True)
    head = "episode,reward,cost,latency_s,energy_j,tasks,offloaded\n"
    (folder / "curve.csv").write_text(f"{head}0,-1.0,0.5,0.1,0.1,5,2\n")
    one = training.Training(load("s1_semantic_iov"), "ddpg", {}, 1, 2, 20, folder, 10)
    (folder / "training.json").write_text(json.dumps({**one.settings(), "done": 2}))
    assert not training.is_done(one)
    (folder / "checkpoint.ckpt").touch()
    assert training.is_done(one)
    with pytest.raises(InputError, match=r"curve\.csv: has 1 episodes instead of 2; train again"):
        training.read_curves([one])


@pytest.mark.slow  # three trainings in processes of their own; `test_train.py` kills one in every run of the suite
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_gone_on(capsys: pytest.CaptureFixture[str], home: Path, number: signal.Signals) -> None:
    """Ctrl-C or SIGTERM stops at a checkpoint with 1 and one line; the same command ends as if nothing had happened."""
    wanted = command("--seeds", "1", "--episodes", "40", "--checkpoint-every", "5")
    checkpoint, curve = (home / "study" / "ddpg" / "seed1" / name for name in ("checkpoint.ckpt", "curve.csv"))
    with subprocess.Popen([sys.executable, "-m", "cosim.cli", *wanted], stderr=subprocess.PIPE, text=True) as process:
        deadline_s = time.monotonic() + 120
        while not checkpoint.exists() and time.monotonic() < deadline_s:
            time.sleep(0.02)
        process.send_signal(number)
        told = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    kept = "what is trained so far is kept in study/ddpg; run the same command again to go on"
    assert told == f"cosim: interrupted; {kept}\n"
    done = len(training.read_curve(curve)["reward"])
    assert 0 < done < 40
    assert done % 5 == 0
    assert cli.status(wanted) == 0
    interrupted = checkpoint.read_bytes(), curve.read_bytes()
    (home / "study").rename(home / "first")
    assert cli.status(wanted) == 0
    assert (checkpoint.read_bytes(), curve.read_bytes()) == interrupted
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--agent", "q-dpg"], "did you mean"),
        (["--option", "speed=3"], "no such setting"),
        (["--option", "lr"], "is not KEY=VALUE"),
        (["--option", "lr=1", "--option", "lr=2"], "given twice"),
        (["--episodes", "0"], "--episodes"),
        (["--set", "decisions.period_s=-1"], "decisions.period_s"),
        (["--agent", "q-ddpg", "--option", "qubits=50"], "qubits=50"),
    ],
)
def test_bad_input(capsys: pytest.CaptureFixture[str], home: Path, arguments: list[str], told: str) -> None:
    """What cannot be trained is one line with 2, and no folder is left, even if only the training finds it out."""
    assert told in refused(capsys, *command("--seeds", "2", *arguments))
    assert not (home / "study").exists()


def test_no_place_to_write(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """A folder that cannot be made is one line with 2, and what is in its place stands."""
    (home / "study").write_text("dear diary")
    told = refused(capsys, *command("--seeds", "1", "--episodes", "1"))
    assert told == "cosim: study/ddpg/seed1: cannot be made: not a directory; give another --out\n"
    assert (home / "study").read_text() == "dear diary"


def test_another_training_is_not_mixed(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """A folder with a training of other settings, or with something else, is refused and stands."""
    assert cli.status(command("--seeds", "1", "--episodes", "1")) == 0
    before = (home / "study" / "ddpg" / "seed1" / "checkpoint.ckpt").read_bytes()
    assert "options was" in refused(capsys, *command("--seeds", "1", "--episodes", "1", "--option", "lr=0.5"))
    assert "run_id was" in refused(capsys, *command("--seeds", "1", "--episodes", "1", "--set", "duration_s=5"))
    (home / "study" / "ddpg" / "seed2").mkdir()
    (home / "study" / "ddpg" / "seed2" / "diary.txt").write_text("dear diary")
    assert "is no training" in refused(capsys, *command("--seeds", "2", "--episodes", "1"))
    assert (home / "study" / "ddpg" / "seed1" / "checkpoint.ckpt").read_bytes() == before


def test_agents_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """--agents names every agent with what it is made of; --settings its options with default and meaning."""
    assert cli.status(["train", "--agents"]) == 0
    said = capsys.readouterr().out
    assert "q-ddpg " in said
    assert "zz circuit of 6 qubits" in said
    assert cli.status(["train", "--settings", "ddpg"]) == 0
    assert "learning rate" in capsys.readouterr().out


def test_without_the_learning_libraries(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where torch is not installed, every command that needs it says so in one line, and rules go on working."""
    monkeypatch.setattr(contenders, "find_spec", lambda name: None if name == "torch" else os)
    (home / "x.ckpt").write_bytes(b"")
    told = "needs torch; run pip install 'cosim[learn]'"
    for arguments in (command(), ["train", "--agents"], ["evaluate", "tiny.yaml", "--policy", "x.ckpt"]):
        assert told in refused(capsys, *arguments)
    assert cli.status(["evaluate", "tiny.yaml", "--policy", "local", "--seeds", "1"]) == 0


@pytest.mark.usefixtures("home")
def test_live_traffic_of_another_map(capsys: pytest.CaptureFixture[str]) -> None:
    """An agent that was trained on synthetic roads decides, unchanged, on live SUMO traffic of another map."""
    assert cli.status(command("--seeds", "1", "--episodes", "1")) == 0
    arguments = ["--policy", "study/ddpg", "--map", "grid", "--seeds", "1", "--set", "duration_s=3"]
    told = answer(capsys, "evaluate", "tiny.yaml", *arguments, "--set", "mobility.begin_s=30")
    assert told["kpis"]["released"]["value"] > 10
