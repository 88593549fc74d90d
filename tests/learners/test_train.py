"""Training: what it leaves behind, how it goes on, and what it refuses."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small
from cosim_agents import checkpoint
from cosim_agents.features import Features
from cosim_agents.learners.learner import LearningProblem
from cosim_agents.learners.rollout import EpisodeSums, turns
from cosim_agents.learners.scenario_rows import ScenarioRows, TaskRows
from cosim_agents.train import COLUMNS, episode_seed, train

from cosim.decision import Action
from cosim.envs.loop import Loop
from cosim.errors import InputError

SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import small
small.quick_train(small.scenario(), small.spec(sys.argv[2]), Path(sys.argv[3]), episodes=int(sys.argv[4]))
"""


def weights(path: Path) -> dict:
    return checkpoint.read(path).state


def test_what_it_leaves(tmp_path: Path) -> None:
    """A checkpoint, a row for each episode, and TensorBoard events; progress hears of each episode."""
    heard = []
    result = train(
        small.scenario(), small.spec("ddpg"), 1, 3, 4, tmp_path, progress=lambda done, log: heard.append((done, log))
    )
    assert [done for done, _ in heard] == [1, 2, 3]
    with result.curve.open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [float(row["reward"]) for row in rows] == [log["reward"] for _, log in heard]
    assert any((tmp_path / "tensorboard").iterdir())
    kept = checkpoint.read(result.checkpoint)
    assert (kept.episodes, kept.agent["name"], kept.seed) == (3, "ddpg", 1)


@pytest.mark.parametrize("name", ["q-ddpg", "sac", "q-dqn", "ppo"])
def test_longer_is_the_same(name: str, tmp_path: Path) -> None:
    """Two episodes and then two more end bit for bit where four at once do, weights and curve."""
    loaded, agent = small.scenario(), small.spec(name)
    small.quick_train(loaded, agent, tmp_path / "parts", episodes=2)
    parts = small.quick_train(loaded, agent, tmp_path / "parts", episodes=4)
    whole = small.quick_train(loaded, agent, tmp_path / "whole", episodes=4)
    assert small.same(weights(parts), weights(whole))
    assert (tmp_path / "parts/curve.csv").read_text() == (tmp_path / "whole/curve.csv").read_text()


@pytest.mark.long
def test_killed_and_resumed(tmp_path: Path) -> None:
    """Killed without warning between two arbitrary instructions and run again, it ends as if nothing had happened."""
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", SCRIPT, here, "q-ddpg", str(tmp_path / "killed"), "4000"]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    curve, end = tmp_path / "killed/curve.csv", time.monotonic() + 120.0
    while time.monotonic() < end and not (curve.exists() and len(curve.read_text().splitlines()) > 4):
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(float(np.random.default_rng().uniform(0.0, 0.05)))
    process.send_signal(signal.SIGKILL)
    process.wait()
    loaded, agent = small.scenario(), small.spec("q-ddpg")
    done = checkpoint.read(tmp_path / "killed/checkpoint.ckpt").episodes
    assert done < 4000
    resumed = small.quick_train(loaded, agent, tmp_path / "killed", episodes=done + 3)
    whole = small.quick_train(loaded, agent, tmp_path / "whole", episodes=done + 3)
    assert small.same(weights(resumed), weights(whole))
    assert curve.read_text() == (tmp_path / "whole/curve.csv").read_text()


def test_nothing_left_to_do(tmp_path: Path) -> None:
    """A finished training that is started again says so and touches nothing."""
    loaded, agent = small.scenario(), small.spec("ddpg")
    path = small.quick_train(loaded, agent, tmp_path, episodes=2)
    before = {file: file.stat().st_mtime_ns for file in (path, tmp_path / "curve.csv")}
    result = train(loaded, agent, 1, 2, 4, tmp_path)
    assert result.resumed_at == result.episodes == 2
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_curve_is_cut_back(tmp_path: Path) -> None:
    """Rows of episodes that no checkpoint holds are played again, not doubled."""
    loaded, agent = small.scenario(), small.spec("ddpg")
    small.quick_train(loaded, agent, tmp_path, episodes=2)
    curve = tmp_path / "curve.csv"
    curve.write_text(curve.read_text() + "2,-1.0,1.0,1.0,1.0,3,3\n3,-1.0,1")
    small.quick_train(loaded, agent, tmp_path, episodes=3)
    lines = curve.read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["episode", "0", "1", "2"]
    assert "-1.0" not in lines[-1].split(",")


def test_another_training_in_the_folder(tmp_path: Path) -> None:
    """Another agent, setting, scenario, seed or length of episode is one line, and the folder stays as it is."""
    loaded, agent = small.scenario(), small.spec("ddpg")
    small.quick_train(loaded, agent, tmp_path, episodes=1)
    before = (tmp_path / "checkpoint.ckpt").read_bytes()
    others = {
        "agent": (loaded, small.spec("td3"), 1, 4),
        "settings": (loaded, small.spec("ddpg", lr=0.5), 1, 4),
        "scenario": (small.scenario("radio.bandwidth_hz=5e6"), agent, 1, 4),
        "seed": (loaded, agent, 2, 4),
        "epochs": (loaded, agent, 1, 5),
    }
    for told, (scenario, spec, seed, epochs) in others.items():
        with pytest.raises(InputError, match=f"differs in {told}") as error:
            small.quick_train(scenario, spec, tmp_path, episodes=2, seed=seed, epochs=epochs)
        assert "\n" not in str(error.value)
    assert (tmp_path / "checkpoint.ckpt").read_bytes() == before


PROFILE = "{kind: poisson, rate_per_s: 1.0, profile: [{time_s: 2.9, factor: 1}, {time_s: 3, factor: 0}]}"
OVER = {
    "tasks wait": (["duration_s=3.5"], False, True),
    "none waits": (["duration_s=3"], False, False),
    "none can come": (["duration_s=3", f"tasks.arrivals={PROFILE}"], True, True),
}
"""Changes, whether the last transitions are terminal, and whether there are any."""


@pytest.mark.parametrize("end", OVER)
def test_the_end_of_a_run(end: str) -> None:
    """The value of tasks that wait counts; where none waits the last epoch is left out, unless none can come."""
    changes, terminal, told = OVER[end]
    environment, sums = ScenarioRows(Loop(small.scenario(*changes), episode_epochs=3)), EpisodeSums()
    features = Features.fit(np.zeros((2, len(environment.columns))), 0)
    task = LearningProblem(environment.columns, environment.actions, features, 0.9)

    def stay(rows: TaskRows, seen: np.ndarray) -> tuple[np.ndarray, Action]:
        values = np.zeros((len(seen), task.values))
        return values, task.action(values, rows)

    *before, last = turns(environment, 1, lambda rows: rows.features, stay, sums)
    assert len(before) == 2
    assert all(len(turn.transitions) and not turn.transitions.terminal.any() for turn in before)
    assert all(turn.following is not None for turn in before)
    assert (len(last.transitions) > 0) == told
    assert last.transitions.terminal.all() == (terminal or not told)
    assert (last.following is None) == (end != "tasks wait")
    if last.following is not None:
        assert environment.loop._last is not None
        assert np.array_equal(last.following, environment.loop._last.features)
        assert np.array_equal(last.transitions.following[0], last.following[0])
    decided = sum(len(turn.transitions) for turn in [*before, last])
    assert sums.log()["tasks"] > decided if end == "none waits" else sums.log()["tasks"] == decided


@pytest.mark.parametrize("name", ["ddpg", "ppo", "dqn", "maddpg", "q-learning"])
@pytest.mark.parametrize("end", OVER)
def test_every_learner_trains_to_the_end_of_a_run(name: str, end: str, tmp_path: Path) -> None:
    """Episodes that end with the scenario train; only those after which no task can come have terminal transitions."""
    changes, terminal, _ = OVER[end]
    state = weights(small.quick_train(small.scenario(*changes), small.spec(name), tmp_path, episodes=4, epochs=50))
    ends = {"ddpg": "replay/dones", "dqn": "replay/dones", "maddpg": "replay/terminal"}
    if name in ends:
        assert state[ends[name]].any() == terminal
        assert not state[ends[name]].all()


def test_training_names_every_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each episode of a training is reset with a seed of its own, which follows from the training's."""
    given: list[int | None] = []
    reset = Loop.reset
    monkeypatch.setattr(Loop, "reset", lambda loop, seed=None: given.append(seed) or reset(loop, seed))
    small.quick_train(small.scenario(), small.spec("ddpg"), tmp_path, episodes=3)
    assert None not in given
    assert len(set(given)) == len(given)
    assert given[-3:] == [episode_seed(1, number) for number in range(3)]


@pytest.mark.parametrize("name", ["ddpg", "ppo", "dqn", "maddpg", "q-learning"])
def test_realised_rewards(name: str, tmp_path: Path) -> None:
    """Rewards that come when tasks end, epochs later, train as well; an episode's unfinished tasks are left out."""
    loaded = small.scenario("decisions.reward.kind=realised", "decisions.period_s=0.05", "tasks.arrivals.rate_per_s=20")
    state = weights(small.quick_train(loaded, small.spec(name), tmp_path, episodes=2, epochs=10))
    if name == "ddpg":
        assert 0 < len(state["replay/rewards"]) < 3 * 2 * 10 * 4
    learnt = {"q-learning": "visits", "maddpg": "replay/critics-optimizer/0/step"}.get(name, "updates")
    assert np.sum(state[learnt]) > 0


def test_a_lost_curve(tmp_path: Path) -> None:
    """A checkpoint whose curve is gone or too short is refused in one line that says so, done or not."""
    loaded, agent = small.scenario(), small.spec("ddpg")
    small.quick_train(loaded, agent, tmp_path, episodes=2)
    curve = tmp_path / "curve.csv"
    lines = curve.read_text().splitlines(keepends=True)
    curve.write_text("".join(lines[:2]))
    for told in ("has lost episodes", "cannot be read: no such file"):
        for episodes in (2, 3):
            with pytest.raises(InputError, match=rf"curve\.csv: {told}.*; remove the folder .* and train again"):
                small.quick_train(loaded, agent, tmp_path, episodes=episodes)
        curve.unlink(missing_ok=True)


def test_a_state_that_does_not_fit(tmp_path: Path) -> None:
    """A checkpoint whose state another version has written is one line, not a traceback of a library."""
    loaded, agent = small.scenario(), small.spec("ddpg")
    path = small.quick_train(loaded, agent, tmp_path, episodes=1)
    kept = checkpoint.read(path)
    name = next(name for name, value in kept.state.items() if isinstance(value, np.ndarray))
    checkpoint.write(path, replace(kept, state={key: value for key, value in kept.state.items() if key != name}))
    with pytest.raises(InputError, match=r"checkpoint\.ckpt: does not fit this cosim .*; remove the folder"):
        small.quick_train(loaded, agent, tmp_path, episodes=2)
