"""`cosim train`, `evaluate` and `compare` in environments: what they leave, say, and refuse in one line."""

import csv
import json
from pathlib import Path

import pytest
from cli_calls import answer, refused

pytest.importorskip("torch")

from cosim.cli import main as cli

TOYS = Path(__file__).parents[1] / "support" / "toys.py"
SHORT = ["--option", "feature_epochs=10", "--option", "warmup_epochs=5", "--option", "buffer=500", "--jobs", "1"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the toys in it, and we there."""
    (tmp_path / "toys.py").write_text(TOYS.read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def training(name: str, agent: str, *more: str) -> list[str]:
    return ["train", name, "--agent", agent, *SHORT, "--seeds", "2", "--out", "study", *more]


def test_train_evaluate_compare(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """An environment of a file is trained on, gone on with, evaluated and compared on the same seeds."""
    name = "toys.py:Walk"
    assert answer(capsys, *training(name, "dqn", "--episodes", "3"))["trained"] == 2
    told = answer(capsys, *training(name, "dqn", "--episodes", "4"))
    assert told["trained"] == 2
    assert set(told["final"]) == {"reward of an episode", "steps of an episode"}
    assert told["final"]["steps of an episode"]["value"] == 10.0
    assert Path(told["picture"]).stat().st_size > 5_000
    noted = json.loads((home / "study/dqn/seed1/training.json").read_text())["environment"]
    assert noted["name"] == name
    assert noted["maker"].startswith("toys.py ")

    told = answer(capsys, "evaluate", name, "--policy", "study/dqn", "--seeds", "3", "--jobs", "1")
    assert [run["agent"] for run in told["runs"]] == [f"study/dqn/seed{seed}/checkpoint.ckpt" for seed in (1, 2, 1)]
    assert set(told["kpis"]) == {"reward", "steps"}

    policies = "random,toys.py:Homeward,study/dqn"
    comparing = ("compare", name, "--policies", policies, "--seeds", "4", "--jobs", "1", "--out", "compared")
    found = {(one["metric"], one["policy"]): one for one in answer(capsys, *comparing)["standings"]}
    best = found["reward", "Homeward"]
    assert best["value"]["value"] > found["reward", "random"]["value"]["value"]
    assert best["difference"]["value"] > 0.0
    assert best["higher"] + best["lower"] <= 4
    with (home / "compared" / "compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["policy"], row["seed"]) for row in rows[:3]] == [("random", "1"), ("Homeward", "1"), ("dqn", "1")]
    before = (home / "compared" / "compare.csv").read_bytes()
    answer(capsys, *comparing)
    assert (home / "compared" / "compare.csv").read_bytes() == before
    assert "compared: holds a comparison in another environment: options.ends was null, now 5" in refused(
        capsys, *comparing, "--set", "ends=5"
    )
    assert "--metric latency_mean: no such figure; use reward, steps" in refused(
        capsys, *comparing, "--metric", "latency_mean"
    )


@pytest.mark.usefixtures("home")
def test_agents_of_pettingzoo(capsys: pytest.CaptureFixture[str]) -> None:
    """A parallel environment is trained on, and its agents' rewards are told one by one; the optimum is known."""
    name = "toys.py:Signals"
    assert cli.status(training(name, "maddpg", "--episodes", "2")) == 0
    assert "toys.py:Signals, agent maddpg, 2 seeds; the last 1 of 2 episodes" in capsys.readouterr().out
    told = answer(
        capsys, "compare", name, "--policies", "toys.py:Best,study/maddpg", "--seeds", "2", "--jobs", "1", "--out", "c"
    )
    best = {one["metric"]: one["value"]["value"] for one in told["standings"] if one["policy"] == "Best"}
    assert best == {"reward": 20.0, "steps": 10.0, "reward_a": 10.0, "reward_b": 10.0}
    assert cli.status(["evaluate", name, "--policy", "random", "--seeds", "2", "--jobs", "1", "--epochs", "3"]) == 0
    said = capsys.readouterr().out
    assert "toys.py:Signals, policy random, seeds 1 to 2" in said
    assert "reward b" in said
    assert "3.000" in next(line for line in said.splitlines() if line.startswith("steps"))


@pytest.mark.parametrize(
    ("name", "agent", "more", "why"),
    [
        (
            "CartPole",
            "dqn",
            [],
            "CartPole: no such file, bundled scenario or registered environment; did you mean Cart",
        ),
        ("s1_semantic_io", "dqn", [], "no such file or bundled scenario; did you mean s1_semantic_iov?"),
        ("ALE/Qongg-v7", "dqn", [], "registered environment; name its package too, as my_package:My-v0"),
        ("nomodule:Foo", "dqn", [], "nomodule:Foo: cannot be made (ModuleNotFoundError: No module named 'nomodule')"),
        ("gymnasium:CartPol-v1", "dqn", [], "gymnasium has no CartPol-v1 that makes an environment; check the name"),
        ("mine.py:Toy", "dqn", [], "mine.py:Toy: no file mine.py here; check the path"),
        ("toys.py:Toy", "dqn", [], "toys.py has no Toy that makes an environment"),
        (
            "toys.py:rolling",
            "dqn",
            [],
            "makes a int, which is neither a gymnasium.Env nor a parallel environment of Pet",
        ),
        ("toys.py:Turns", "dqn", [], "makes a Turns, which is neither"),
        (
            "toys.py:Walk",
            "dqn",
            ["--set", "size=3"],
            "unexpected keyword argument 'size'); correct the name or its --set",
        ),
        ("toys.py:Walk", "dqn", ["--set", "kind"], "--set kind: is not KEY=VALUE; write --set gravity=5"),
        (
            "toys.py:Walk",
            "dqn",
            ["--set", "kind=box"],
            "dqn: chooses among discrete actions, of which toys.py:Walk has n",
        ),
        ("toys.py:Walk", "ddpg", ["--set", "kind=unbounded"], "toys.py:Walk: actions are a Box without finite bounds"),
        (
            "toys.py:Walk",
            "ddpg",
            ["--set", "kind=text"],
            "toys.py:Walk: actions of Text are none that cosim's agents ta",
        ),
        ("toys.py:Signals", "dqn", ["--set", "unequal=true"], "agents a and b have different spaces"),
        (
            "toys.py:Walk",
            "q-ddpg",
            ["--option", "qubits=3", "--option", "components=2"],
            "circuit zz of 3 qubits reads 3; give --option components=3",
        ),
        ("toys.py:Walk", "ddpg", ["--option", "discount=1.5"], "discount=1.5: ddpg needs it at most 1"),
        ("quickstart", "ddpg", ["--option", "discount=0.5"], "use --set decisions.reward.discount=0.5"),
    ],
)
def test_refused_in_one_line(
    name: str, agent: str, more: list[str], why: str, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    """Bad names, arguments and spaces end with 2 and one line, and nothing is written."""
    told = refused(capsys, *training(name, agent, *more))
    assert why in told, told
    assert sorted(path.name for path in home.iterdir() if path.name != "__pycache__") == ["toys.py"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (
            ["evaluate", "toys.py:Walk", "--policy", "nearest"],
            "policy nearest: is none for an environment; use random,",
        ),
        (
            ["evaluate", "toys.py:Walk", "--policy", "random", "--out", "x"],
            "--out: episodes in an environment leave no",
        ),
        (
            ["evaluate", "toys.py:Walk", "--policy", "random", "--map", "grid"],
            "--map grid: toys.py:Walk is an environment",
        ),
        (
            ["evaluate", "quickstart", "--policy", "nearest", "--epochs", "3"],
            "--epochs 3: quickstart is a scenario; give",
        ),
        (
            ["compare", "toys.py:Walk", "--policies", "random,random"],
            "--policies: random is given twice; name each once",
        ),
        (["compare", "toys.py:Walk", "--policies", "random", "--out", "."], "is taken by something else; give another"),
    ],
)
def test_evaluations_that_are_refused(
    command: list[str], why: str, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    """What an environment has not is refused in one line, and nothing is written."""
    assert why in refused(capsys, *command, "--jobs", "1")
    assert sorted(path.name for path in home.iterdir() if path.name != "__pycache__") == ["toys.py"]


def test_failures_are_one_line(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """An environment or a policy that fails while it is played ends with 1 and one line; a training leaves nothing."""
    for command, why in (
        (
            training("toys.py:Walk", "dqn", "--set", "fails=3"),
            "toys.py:Walk: step 3 failed (ArithmeticError: the floor is",
        ),
        (
            ["evaluate", "toys.py:Walk", "--policy", "toys.py:Lost", "--jobs", "1"],
            "policy toys.py:Lost: decide() gave 7, which is not in Discrete(3, start=-1); correct it",
        ),
    ):
        assert cli.status(command) == 1
        said = capsys.readouterr()
        assert why in said.err
        assert said.err.count("\n") == 1
    assert sorted(path.name for path in home.iterdir() if path.name != "__pycache__") == ["toys.py"]


@pytest.mark.usefixtures("home")
def test_episodes_that_ignore_their_seed(capsys: pytest.CaptureFixture[str]) -> None:
    """Where a seed begins other episodes under another policy, there is no comparison, and no table of one."""
    command = ["compare", "toys.py:Walk", "--policies", "random,toys.py:Homeward", "--seeds", "6", "--jobs", "1"]
    assert cli.status([*command, "--set", "seeded=false", "--out", "compared"]) == 1
    assert "begins another episode under Homeward than under random: no fair comparison" in capsys.readouterr().err
    assert not Path("compared").exists()


def test_a_scenario_and_an_environment_do_not_mix(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    """A checkpoint of an environment decides in no scenario; other arguments are another training, named."""
    assert cli.status(training("toys.py:Walk", "dqn", "--episodes", "1")) == 0
    told = refused(capsys, *training("toys.py:Walk", "dqn", "--episodes", "2", "--set", "ends=5"))
    assert "training.json: the environment or a --set differs: options.ends was null, now 5; give another --out" in told
    told = refused(capsys, "run", "per_task", "--policy", "study/dqn", "--out", "run")
    assert "was trained on toys.py:Walk, which is no scenario; play it with `cosim evaluate toys.py:Walk" in told
    (home / "toys.py").write_text(TOYS.read_text() + "\n")
    assert "differs: maker was" in refused(capsys, *training("toys.py:Walk", "dqn", "--episodes", "2"))
