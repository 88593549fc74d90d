"""`cosim train`: a folder for each seed, gone on with where it was left; the folder is a policy afterwards."""

import hashlib
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_calls import answer, refused

from cosim.cli import main as cli
from cosim.cli.arguments import key_values
from cosim.experiments import contenders, folders, training

pytest.importorskip("torch")
from cosim_agents.learners.catalog import agent_spec
from cosim_agents.learners.scenario_rows import NOTHING

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
    """A short training of small networks in the folder `study`, in this process if no `--jobs` follows."""
    return ["train", "tiny.yaml", "--agent", "ddpg", *SHORT, "--jobs", "1", *arguments, "--out", "study"]


def test_train_then_compare(capsys: pytest.CaptureFixture[str], home: Path, trained: Path) -> None:
    """Seeds are trained into folders of their own, which then are one policy: its agents take turns over the seeds."""
    capsys.readouterr()
    assert cli.status(command("--seeds", "2", "--episodes", "4")) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "agent ddpg, 2 seeds, 2 of them trained before; the last 1 of 4 episodes, in which agents" in said.out
    for seed in (1, 2):
        assert len(training.read_curve(trained / f"seed{seed}" / "curve.csv")["reward"]) == 4
    assert (trained / "curves.png").stat().st_size > 10_000
    told = answer(capsys, "evaluate", "tiny.yaml", "--policy", "study/ddpg", "--seeds", "3", "--jobs", "1")
    agents = [run["agent"] for run in told["runs"]]
    assert agents == [f"study/ddpg/seed{seed}/checkpoint.ckpt" for seed in (1, 2, 1)]
    other = ["evaluate", "tiny.yaml", "--policy", "study/ddpg", "--seeds", "1", "--out", "other"]
    told = refused(capsys, *other, "--set", "decisions.candidates=1", "--set", "cloud={}")
    assert "study/ddpg/seed1/checkpoint.ckpt: the agent was trained with local, edge1, edge2; this scenario has" in told
    assert "has local, edge1, cloud; give it --set decisions.candidates=2 --set cloud=null (candidates count" in told
    assert not (home / "other").exists()


@pytest.mark.long  # two processes that import torch; `test_jobs.py` has the same bits of jobs side by side in every run
def test_side_by_side(capsys: pytest.CaptureFixture[str], home: Path, finished: Path) -> None:
    """Weights and curves of trainings side by side are those of trainings one after the other in this process."""
    assert cli.status(command("--seeds", "2", "--episodes", "4", "--jobs", "2")) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "agent ddpg, 2 seeds; the last 1 of 4 episodes, in which agents explore" in said.out
    for seed in (1, 2):
        folder = home / "study" / "ddpg" / f"seed{seed}"
        for name in ("checkpoint.ckpt", "curve.csv"):
            assert (folder / name).read_bytes() == (finished / folder.relative_to(home) / name).read_bytes()


def test_a_second_call_goes_on(capsys: pytest.CaptureFixture[str], home: Path, finished: Path) -> None:
    """What is done is skipped; more episodes train on, to what one long training gives; more seeds are added."""
    assert answer(capsys, *command("--seeds", "1", "--episodes", "2"))["trained"] == 1
    checkpoint = home / "study" / "ddpg" / "seed1" / "checkpoint.ckpt"
    before = checkpoint.read_bytes()
    assert answer(capsys, *command("--seeds", "1", "--episodes", "2"))["trained"] == 0
    assert checkpoint.read_bytes() == before
    assert answer(capsys, *command("--seeds", "2", "--episodes", "4"))["trained"] == 2
    longer = checkpoint.read_bytes()
    assert longer == (finished / checkpoint.relative_to(home)).read_bytes() != before
    assert "was trained for 4 episodes" in refused(capsys, *command("--seeds", "1", "--episodes", "3"))


def running(policy: str, *arguments: str) -> list[str]:
    """A run of the scenario under a policy."""
    return ["run", "tiny.yaml", "--policy", policy, "--no-picture", *arguments]


def test_the_folder_of_a_training_is_a_policy_of_a_run(
    capsys: pytest.CaptureFixture[str], home: Path, finished: Path
) -> None:
    """`cosim run --policy FOLDER` runs the first agent as its checkpoint does, and evaluation too.

    The run is named by the agent's weights: it cannot be repeated under others, and under others it has another id.
    """
    shutil.copytree(finished / "study", home / "study")
    checkpoint = home / "study" / "ddpg" / "seed1" / "checkpoint.ckpt"
    first = answer(capsys, *running("study/ddpg", "--out", "first"))
    assert answer(capsys, *running("study/ddpg/seed1", "--out", "again"))["run_id"] == first["run_id"]
    assert answer(capsys, *running(str(checkpoint.relative_to(home)), "--out", "file"))["run_id"] == first["run_id"]
    evaluated = answer(capsys, "evaluate", "tiny.yaml", "--policy", "study/ddpg", "--seeds", "1", "--jobs", "1")
    assert evaluated["runs"][0]["digest"] == first["digest"]
    said = json.loads((home / "first" / "provenance.json").read_text())
    assert said["policy"] == "study/ddpg/seed1/checkpoint.ckpt"
    content = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert said["scenario"]["policy"]["options"] == {"sha256": content}
    shutil.copy(home / "study" / "ddpg" / "seed2" / "checkpoint.ckpt", checkpoint)
    other = answer(capsys, *running("study/ddpg", "--out", "other"))
    assert other["run_id"] != first["run_id"]
    kept = ("--set", f"policy={json.dumps(said['scenario']['policy'])}", "--no-picture", "--out", "repeated")
    assert "other weights; train them again" in refused(capsys, "run", "tiny.yaml", *kept)
    assert not (home / "repeated").exists()


def test_folders_that_are_no_policy(capsys: pytest.CaptureFixture[str], home: Path, finished: Path) -> None:
    """A folder without an agent, and a scenario that names one, are refused in one line with the remedy."""
    (home / "empty").mkdir()
    assert "empty: holds no trained agent; give a folder that `cosim train` made" in refused(capsys, *running("empty"))
    shutil.copytree(finished / "study", home / "study")
    assert "study: holds no trained agent; name the agent's folder, as study/ddpg" in refused(capsys, *running("study"))
    told = refused(capsys, "run", "tiny.yaml", "--set", "policy=study/ddpg")
    assert "policy = study/ddpg: is a folder; name the x.ckpt in it, or give the folder by --policy" in told
    assert sorted(path.name for path in home.iterdir()) == ["empty", "study", "tiny.yaml"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of two seeds, done; not to be changed."""
    home = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        (home / "tiny.yaml").write_text(SCENARIO)
        assert cli.status(command("--seeds", "2", "--episodes", "4")) == 0
    return home


@pytest.fixture
def trained(home: Path, finished: Path) -> Path:
    """A copy of its agents' folder in the folder that we are in."""
    shutil.copytree(finished / "study", home / "study")
    return home / "study" / "ddpg"


def cut(text: bytes) -> bytes:
    """Without its last line."""
    return b"".join(text.splitlines(keepends=True)[:-1])


DAMAGES: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("checkpoint.ckpt", lambda _: random.Random(1).randbytes(5000), "is no checkpoint or is damaged"),
    ("checkpoint.ckpt", lambda old: old[: len(old) // 2], "is no checkpoint or is damaged"),
    ("checkpoint.ckpt", lambda _: b"", "is no checkpoint or is damaged"),
    ("checkpoint.ckpt", lambda _: pickle.dumps({"weights": [1.0]}), "is no checkpoint or is damaged"),
    ("curve.csv", cut, "has lost episodes that the checkpoint holds"),
    ("curve.csv", lambda _: b"", "is no learning curve or is damaged"),
    ("curve.csv", lambda _: random.Random(1).randbytes(5000), "is no learning curve or is damaged"),
    ("curve.csv", lambda old: old.replace(b"\n1,", b"\n1,x"), "is damaged in line 3"),
    ("training.json", lambda _: b"{", "is damaged"),
]


@pytest.mark.parametrize("episodes", ["4", "5"])
@pytest.mark.parametrize(("name", "damage", "told"), DAMAGES)
def test_damaged_files(
    capsys: pytest.CaptureFixture[str],
    trained: Path,
    name: str,
    damage: Callable[[bytes], bytes],
    told: str,
    episodes: str,
) -> None:
    """A damaged file of a training is named in one line with the remedy, whether the training is done or goes on."""
    file = trained / "seed2" / name
    file.write_bytes(damage(file.read_bytes()))
    said = refused(capsys, *command("--seeds", "2", "--episodes", episodes))
    assert said == f"cosim: study/ddpg/seed2/{name}: {told}; remove the folder study/ddpg/seed2 and train again\n"


def test_missing_files(capsys: pytest.CaptureFixture[str], home: Path, trained: Path) -> None:
    """So is one that is missing, or another seed's checkpoint; without a checkpoint a training begins again."""
    one, two = (trained / f"seed{seed}" for seed in (1, 2))
    wanted, remedy = command("--seeds", "2", "--episodes", "4"), "remove the folder study/ddpg/seed2 and train again"
    (two / "curve.csv").rename(home / "kept")
    told = refused(capsys, *wanted)
    assert told == f"cosim: study/ddpg/seed2/curve.csv: cannot be read: no such file or directory; {remedy}\n"
    (home / "kept").rename(two / "curve.csv")
    (two / "training.json").rename(home / "kept")
    told = refused(capsys, *wanted)
    assert told.startswith("cosim: study/ddpg/seed2/training.json: is missing")
    assert remedy in told
    (home / "kept").rename(two / "training.json")
    checkpoint = (two / "checkpoint.ckpt").read_bytes()
    shutil.copy(one / "checkpoint.ckpt", two)
    told = refused(capsys, *wanted)
    assert "study/ddpg/seed2/checkpoint.ckpt: is of a training that differs in seed (1, not 2)" in told
    assert remedy in told
    (two / "checkpoint.ckpt").unlink()
    assert answer(capsys, *wanted)["trained"] == 1
    assert (two / "checkpoint.ckpt").read_bytes() == checkpoint


def test_rows_behind_the_checkpoint(capsys: pytest.CaptureFixture[str], trained: Path) -> None:
    """A longer training that was killed before its next checkpoint leaves the shorter one as it was."""
    wanted = command("--seeds", "2", "--episodes", "4")
    before = answer(capsys, *wanted)
    with (trained / "seed1" / "curve.csv").open("a") as curve:
        curve.write("4,-1.0,0.5,0.1,0.1,5,2\n5,-1.")
    assert answer(capsys, *wanted) == before
    assert before["trained"] == 0


def test_two_at_once(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """Where another command trains, a second one is refused and leaves nothing."""
    busy = home / "study" / "ddpg" / "seed2"
    busy.mkdir(parents=True)
    with folders.lock_folder(busy, "training", "--out"):
        told = refused(capsys, *command("--seeds", "2", "--episodes", "1"))
    assert told == "cosim: study/ddpg/seed2: another training writes here; wait for it or give another --out\n"
    assert [path.name for path in busy.parent.iterdir()] == ["seed2"]
    assert not list(busy.iterdir())


def test_the_bar_moves_between_checkpoints() -> None:
    """Progress is told of each episode; a training may be stopped where a checkpoint was just written."""
    told: list[tuple[float, bool]] = []
    log = NOTHING
    progress = training.at_checkpoints(lambda done, /, may_stop=True: told.append((done, may_stop)), 3)
    for done in range(1, 7):
        progress(done, log)
    assert told == [(1, False), (2, False), (3, True), (4, False), (5, False), (6, True)]


@pytest.mark.usefixtures("home")
def test_interrupted_before_anything(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before the first checkpoint does not say that something was kept, and leaves no folder."""

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "work", stopped)
    assert cli.status(command("--seeds", "2")) == 1
    assert capsys.readouterr().err == (
        "cosim: interrupted; nothing is kept so far; run the same command again to go on\n"
    )
    assert not Path("study").exists()


@pytest.mark.parametrize(("episodes", "last"), [(1, 1), (7, 1), (8, 2), (60, 15), (199, 49), (500, 50)])
def test_the_end_of_a_training(episodes: int, last: int) -> None:
    """A table sums up a quarter of the episodes, at most 50: not those in which most is learnt."""
    assert training.last_episodes(episodes) == last
    rewards = np.where(np.arange(episodes) < episodes - last, -100.0, -1.0)
    curves = dict.fromkeys(("reward", "cost", "latency_s", "energy_j", "tasks", "offloaded"), rewards[None])
    assert training.final(curves)["reward of an episode"].value == -1.0


@pytest.mark.long  # three trainings, one in a process of its own; `test_train.py` kills one in every run of the suite
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_gone_on(capsys: pytest.CaptureFixture[str], home: Path, number: signal.Signals) -> None:
    """Ctrl-C or SIGTERM stops at a checkpoint with 1 and one line; the same command ends as if nothing had happened."""
    wanted = command("--seeds", "1", "--episodes", "40", "--checkpoint-every", "5")
    checkpoint, curve = (home / "study" / "ddpg" / "seed1" / name for name in ("checkpoint.ckpt", "curve.csv"))
    with subprocess.Popen(
        [sys.executable, "-m", "cosim.cli.main", *wanted], stderr=subprocess.PIPE, text=True
    ) as process:
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
        (["--option", "lr"], "--option lr: is not KEY=VALUE"),
        (["--option", "hidden=0"], "leave it empty for none"),
        (["--option", "batch="], "--option batch=: is not a whole number"),
        (["--agent", "q-dqn", "--option", "qubits=4"], "give --option components=4,"),
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


def test_another_training_is_not_mixed(capsys: pytest.CaptureFixture[str], trained: Path) -> None:
    """A folder with a training of other settings, or with something else, is refused and stands."""
    before = (trained / "seed1" / "checkpoint.ckpt").read_bytes()
    told = refused(capsys, *command("--seeds", "1", "--episodes", "4", "--option", "lr=0.5"))
    assert "training.json: options.lr was null, now 0.5; give another --out" in told
    told = refused(capsys, *command("--seeds", "1", "--episodes", "4", "--set", "duration_s=5"))
    assert "the scenario or a --set differs: duration_s was 6.0, now 5.0; give another --out" in told
    (trained / "seed3").mkdir()
    (trained / "seed3" / "diary.txt").write_text("dear diary")
    assert "is no training" in refused(capsys, *command("--seeds", "3", "--episodes", "4"))
    assert (trained / "seed1" / "checkpoint.ckpt").read_bytes() == before


def test_agents_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """--agents names every agent with what it is made of; --settings its options with default and meaning."""
    assert cli.status(["train", "--agents"]) == 0
    said = capsys.readouterr().out
    assert "q-ddpg " in said
    assert "zz circuit of 6 qubits" in said
    assert cli.status(["train", "--settings", "ddpg"]) == 0
    assert "learning rate" in capsys.readouterr().out
    assert "agent nope: no such agent" in refused(capsys, "train", "--settings", "nope")


def test_a_network_without_hidden_layers() -> None:
    """`--option hidden=` is what the message for wrong widths says: none."""
    actor = agent_spec("ddpg", key_values(["hidden="], "--option", "batch=16")).actor
    assert actor is not None
    assert actor.hidden == ()


def test_without_the_learning_libraries(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where torch is not installed, every command that needs it says so in one line, and rules go on working."""
    monkeypatch.setattr(contenders, "find_spec", lambda name: None if name == "torch" else os)
    (home / "x.ckpt").write_bytes(b"")
    told = "needs torch; run pip install 'cosim-vec[learn]'"
    for arguments in (command(), ["train", "--agents"], ["evaluate", "tiny.yaml", "--policy", "x.ckpt"]):
        assert told in refused(capsys, *arguments)
    assert cli.status(["evaluate", "tiny.yaml", "--policy", "local", "--seeds", "1"]) == 0


@pytest.mark.usefixtures("trained")
@pytest.mark.long
def test_live_traffic_of_another_map(capsys: pytest.CaptureFixture[str]) -> None:
    """An agent that was trained on synthetic roads decides, unchanged, on live SUMO traffic of another map."""
    arguments = ["--policy", "study/ddpg", "--map", "grid", "--seeds", "1", "--set", "duration_s=3"]
    told = answer(capsys, "evaluate", "tiny.yaml", *arguments, "--set", "mobility.begin_s=30")
    assert told["kpis"]["released"]["value"] > 10
