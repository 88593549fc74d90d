"""Training in any environment: every agent, gone on with to the same bytes after a kill, and learning that shows."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from effort import rest_long
from rows_of import quick_spec, quick_training, signals, walk

pytest.importorskip("torch")
from cosim_agents import checkpoint
from cosim_agents.environments.known import KnownEnvironment, know_environment
from cosim_agents.environments.policies import play_policy
from cosim_agents.learned import Learned
from cosim_agents.learners.catalog import DISCRETE, agent_names, agent_settings, agent_spec
from cosim_agents.train import CURVE, train

from cosim.errors import InputError

SCRIPT = """
import sys
from pathlib import Path
from rows_of import quick_training, signals, walk
from cosim_agents.environments.known import know_environment
make = {"walk": walk, "signals": lambda: signals(leaver=4)}.get(sys.argv[1], lambda: know_environment(sys.argv[1], {}))
quick_training(make(), sys.argv[2], Path(sys.argv[3]), episodes=100000)
"""


def same_bytes(one: Path, other: Path) -> bool:
    """Checkpoint and curve."""
    files = ("checkpoint.ckpt", CURVE)
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in files)


@pytest.mark.parametrize("name", agent_names())
def test_every_agent_learns_a_step(name: str, tmp_path: Path) -> None:
    """Each agent of the catalogue trains on discrete actions, beyond its warm-up; its checkpoint decides."""
    environment = walk()
    longer = {"warmup_epochs": 12} if "warmup_epochs" in agent_settings(name) else {}
    path = quick_training(environment, name, tmp_path, episodes=2, **longer)
    kept = checkpoint.read(path)
    assert kept.environment == {"name": "toys:Walk", "options": {"kind": "discrete"}, "maker": environment.maker}
    assert (kept.discount, kept.columns, kept.epochs) == (0.99, ("obs0", "obs1"), 0)
    assert play_policy(environment, str(path), 1, 0).log["steps"] == 10


@pytest.mark.parametrize("method", ["parameter-shift", "rotosolve"])
def test_every_training_method(method: str, tmp_path: Path) -> None:
    """Circuits are trained by each method on an environment too."""
    path = quick_training(walk("box"), "q-ddpg", tmp_path, episodes=2, method=method)
    assert checkpoint.read(path).agent["settings"]["method"] == method


@pytest.mark.parametrize(
    ("kind", "name"),
    rest_long(
        [
            ("parts", "dqn"),
            ("binary", "sac"),
            ("dict", "q-dqn"),
            ("whole", "ppo"),
            ("box", "maddpg"),
            ("parts", "maddpg"),
        ],
        3,
    ),
)
def test_every_kind_of_space(kind: str, name: str, tmp_path: Path) -> None:
    """The toy asserts that what it is given is in its action space."""
    quick_training(walk(kind), name, tmp_path, episodes=2)


def test_defaults_fit_the_environment() -> None:
    """All columns are features; a circuit has a qubit for each of up to 6, else reads 6 components."""
    narrow, wide = walk(), know_environment("FrozenLake-v1", {})
    assert (narrow.columns, wide.columns) == (2, 16)
    assert narrow.agent_options("ppo", {}) == {"discount": 0.99, "components": 0}
    assert narrow.agent_options("q-ppo", {}) == {"discount": 0.99, "components": 0, "qubits": 2}
    assert wide.agent_options("q-ppo", {}) == {"discount": 0.99, "components": 6, "qubits": 6}
    assert wide.agent_options("q-ppo", {"qubits": 4})["components"] == 4
    assert wide.agent_options("q-ppo", {"components": 3})["qubits"] == 3
    assert wide.agent_options("q-ppo", {"circuit": "amplitude"})["components"] == 0
    assert wide.agent_options("q-learning", {})["components"] == 3
    assert narrow.agent_options("q-learning", {"discount": 0.5}) == {"discount": 0.5, "components": 0}
    assert "discount" not in agent_spec("ppo", {}).settings  # of a scenario: its own


@pytest.mark.parametrize(
    "name", sorted(one for one in agent_names() if one.removeprefix("q-") in {*DISCRETE, "learning"})
)
def test_discrete_agents_need_choices(name: str) -> None:
    """Agents that choose refuse continuous actions, and a product that is too large, with the remedy."""
    for kind in ("box", "many"):
        with pytest.raises(InputError, match=f"^{name}: chooses among discrete actions, of which toys:Walk has none"):
            quick_spec(walk(kind), name)


@pytest.mark.parametrize(
    ("environment", "name"), [("walk", "q-ppo"), ("walk", "q-learning"), ("signals", "dqn"), ("signals", "maddpg")]
)
def test_longer_is_the_same(environment: str, name: str, tmp_path: Path) -> None:
    """Two episodes and then two more end in the bytes of four at once, checkpoint and curve."""
    made = walk() if environment == "walk" else signals(leaver=4)
    quick_training(made, name, tmp_path / "parts", episodes=2)
    quick_training(made, name, tmp_path / "parts", episodes=4)
    quick_training(made, name, tmp_path / "whole", episodes=4)
    assert same_bytes(tmp_path / "parts", tmp_path / "whole")
    header = (tmp_path / "whole" / CURVE).read_text().splitlines()[0]
    assert header == "episode,reward,steps" + ("" if environment == "walk" else ",reward_a,reward_b")


@pytest.mark.parametrize(
    ("environment", "name"), rest_long([("signals", "maddpg"), ("CartPole-v1", "q-ppo"), ("Pendulum-v1", "ddpg")], 0)
)
def test_killed_and_resumed(environment: str, name: str, tmp_path: Path) -> None:
    """Killed without warning between two arbitrary instructions and run again, it ends as if nothing had happened."""
    command = [sys.executable, "-c", SCRIPT, environment, name, str(tmp_path / "killed")]
    here = os.pathsep.join((str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")))
    paths = {"PYTHONPATH": os.pathsep.join((here, os.environ.get("PYTHONPATH", "")))}
    process = subprocess.Popen(command, env={**os.environ, **paths, "OMP_NUM_THREADS": "1"})
    curve, end = tmp_path / "killed" / CURVE, time.monotonic() + 240.0
    while time.monotonic() < end and not (curve.exists() and len(curve.read_text().splitlines()) > 3):
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(float(np.random.default_rng().uniform(0.0, 0.1)))
    process.send_signal(signal.SIGKILL)
    process.wait()
    made = signals(leaver=4) if environment == "signals" else know_environment(environment, {})
    done = checkpoint.read(tmp_path / "killed" / "checkpoint.ckpt").episodes
    quick_training(made, name, tmp_path / "killed", episodes=done + 2)
    quick_training(made, name, tmp_path / "whole", episodes=done + 2)
    assert same_bytes(tmp_path / "killed", tmp_path / "whole")


def test_another_environment_is_refused(tmp_path: Path) -> None:
    """Other arguments or another version are another training; a checkpoint of the one decides nothing in the other."""
    path = quick_training(walk(), "dqn", tmp_path, episodes=1)
    made = walk()
    other = KnownEnvironment(made.name, made.options, "toys 2.0", made.columns, made.choices, made.figures)
    for changed in (walk(ends=5), other):
        with pytest.raises(InputError, match=r"is of a training that differs in environment \(toys-Walk-"):
            quick_training(changed, "dqn", tmp_path, episodes=2)
    with pytest.raises(InputError, match="whose observations or actions are others than those of toys:Walk"):
        play_policy(walk("box"), str(path), 1, 0)
    assert play_policy(walk(ends=5), str(path), 1, 0).log["steps"] == 5  # arguments alone may differ
    with pytest.raises(
        InputError, match="was trained on toys:Walk, which is no scenario; play it with `cosim evaluate"
    ):
        Learned(path)


def returns(environment: KnownEnvironment, policy: str, episodes: int = 10) -> float:
    return float(np.mean([play_policy(environment, policy, 900 + seed, 0).log["reward"] for seed in range(episodes)]))


@pytest.mark.parametrize("name", ["maddpg", "dqn"])
def test_agents_with_roles_learn(name: str, tmp_path: Path) -> None:
    """Where one agent is to follow a sign and the other not to, they come near the optimum, which is 20."""
    settings = {
        "dqn": {"epsilon_epochs": 150, "lr": 1e-2},
        "maddpg": {"lr": 3e-3, "critic_lr": 1e-2, "epsilon": 0.3, "shared": False},
    }
    options = {"warmup_epochs": 100, "batch": 32, "tau": 0.05, "discount": 0.0, **settings[name]}
    path = quick_training(signals(), name, tmp_path, episodes=40, **options)
    assert returns(signals(), str(path)) > 18.0
    assert returns(signals(), "random") < 12.0


@pytest.mark.long
@pytest.mark.parametrize(
    ("environment", "name", "episodes", "options", "wanted"),
    [
        ("CartPole-v1", "dqn", 150, {"epsilon_epochs": 1500, "lr": 1e-3}, 80.0),
        ("CartPole-v1", "q-ppo", 400, {"lr": 1e-2}, 60.0),
        ("Pendulum-v1", "ddpg", 40, {"batch": 64, "lr": 1e-3, "critic_lr": 1e-3}, -500.0),
    ],
)
def test_learning_shows(
    environment: str, name: str, episodes: int, options: dict[str, float], wanted: float, tmp_path: Path
) -> None:
    """Returns are far above chance: about 20 on CartPole-v1, about -1,200 on Pendulum-v1."""
    made = know_environment(environment, {})
    spec = agent_spec(name, made.agent_options(name, options))
    path = train(made, spec, 1, episodes, 0, tmp_path, checkpoint_every=episodes).checkpoint
    assert returns(made, str(path)) > wanted > returns(made, "random")
