"""Controls of a circuit: its angles frozen, or zeros in its place; and that they leave no trace where nobody asks."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import small
import torch
from cosim_agents.checkpoint import as_read_from_json
from cosim_agents.learned import Learned
from cosim_agents.learners.catalog import agent_names, agent_settings, agent_spec
from cosim_agents.learners.learner import Learner
from cosim_agents.learners.maddpg import Maddpg
from cosim_agents.learners.reinforce import Reinforce
from cosim_agents.learners.rollout import play
from cosim_agents.networks import METHODS, QuantumNet
from effort import rest_long

from cosim.envs.loop import Loop
from cosim.errors import InputError

CONTROLS = ("circuit_frozen", "circuit_zero")
QUANTUM = [name for name in agent_names() if "circuit_frozen" in agent_settings(name)]
TRAINED = [
    (name, method)
    for name in QUANTUM
    for method in (METHODS if "method" in agent_settings(name) else METHODS[:1])
    if (name, method) != ("q-reinforce", "rotosolve")
]
SPECS = {
    "q-ddpg": "52bb76a6698bdb32",
    "ddpg": "9f32ba13a2460c06",
    "ddpg-small": "4ed985596e42f41b",
    "q-td3": "95883702d7a382ea",
    "td3": "478995b1005aac05",
    "q-sac": "5f8493054cb58f54",
    "sac": "dc847a44fd4631f5",
    "q-dqn": "50a81221c25123b6",
    "dqn": "80918ddb4d3e86b6",
    "q-ppo": "62e2fc159bf4f15c",
    "ppo": "1de84f1e188e74a7",
    "q-maddpg": "31b1271df0789812",
    "maddpg": "663ec3dc42efcf7e",
    "q-learning": "f89bd6a2ae76c0c2",
}
"""Hashes of the specs with which the trainings of results/papers/s1 were made; other ones would not find them."""


STILL = {"warmup_epochs": 1000, "rollout_rows": 100_000}
"""Settings with which nothing is learnt."""


def played(name: str, episodes: int, **options: object) -> Learner:
    """A learner after some episodes, with the options that its agent has."""
    given = {key: value for key, value in options.items() if key in agent_settings(name)}
    learner, environment = small.fresh(small.scenario(), small.spec(name, **given))
    for seed in range(episodes):
        play(learner, environment, seed)
    return learner


def arrays(learner: Learner, ending: str) -> dict[str, np.ndarray]:
    """Weights whose names end so; of layers not those of targets, which rounding moves towards equal ones."""
    found = {key: np.asarray(value) for key, value in learner.state().items() if key.endswith(ending)}
    return {key: value for key, value in found.items() if "circuit" in ending or "target" not in key}


def equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> list[bool]:
    """Of each array, whether it is the same bit for bit."""
    assert one
    assert one.keys() == other.keys()
    return [np.array_equal(one[key], other[key]) for key in one]


def judged(learner: Learner) -> np.ndarray:
    """What the network that decides gives for five different rows."""
    own = {Maddpg: "actors", Reinforce: "actor"}
    root = getattr(learner, own[type(learner)]) if type(learner) in own else learner._algorithm.policy
    network = next(one for one in root.modules() if isinstance(one, QuantumNet))
    return network(torch.from_numpy(np.random.default_rng(1).random((5, 3), np.float32))).detach().numpy()


def test_every_circuit_has_its_controls() -> None:
    """All agents with a circuit have both; classical ones, the one of equal size and the table have neither."""
    assert [name for name in agent_names() if name.startswith("q-") and name != "q-learning"] == QUANTUM
    assert all("circuit_zero" in agent_settings(name) for name in QUANTUM)
    for name in set(agent_names()) - set(QUANTUM):
        with pytest.raises(InputError, match=f"circuit_zero: {name} has no such setting; .*use ") as caught:
            agent_spec(name, {"circuit_zero": True})
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", SPECS)
def test_a_default_agent_is_found_as_before(name: str) -> None:
    """What stands in checkpoints, and in the hashes of papers' pieces, has a control only where one is chosen."""
    wanted = as_read_from_json(agent_spec(name, {}))
    assert hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16] == SPECS[name]
    if name in QUANTUM:
        assert as_read_from_json(agent_spec(name, {"circuit_frozen": "false", "circuit_zero": False})) == wanted
        chosen = [as_read_from_json(agent_spec(name, {control: True})) for control in CONTROLS]
        assert wanted not in chosen
        assert chosen[0] != chosen[1]


@pytest.mark.parametrize(("name", "method"), rest_long(TRAINED, 4))
def test_frozen_angles_stay(name: str, method: str) -> None:
    """Bit for bit, those of targets too, at what the free agent begins with, while the head behind them learns."""
    begun, free = played(name, 1, **STILL), played(name, 3, method=method)
    frozen = played(name, 3, method=method, circuit_frozen=True)
    assert all(equal(arrays(begun, "circuit.weights"), arrays(frozen, "circuit.weights")))
    assert not any(equal(arrays(begun, "circuit.weights"), arrays(free, "circuit.weights")))
    assert not any(equal(arrays(begun, "head.0.weight"), arrays(frozen, "head.0.weight")))


@pytest.mark.parametrize("name", rest_long(QUANTUM, 3))
def test_zeros_leave_a_bias(name: str) -> None:
    """A head that reads zeros gives the same for all rows; of it the bias alone learns."""
    begun, learner = played(name, 1, **STILL), played(name, 3, circuit_zero=True)
    for part, stays in (("circuit.weights", True), ("head.0.weight", True), ("head.0.bias", False)):
        assert set(equal(arrays(begun, part), arrays(learner, part))) == {stays}, part
    assert judged(learner)[1:].tolist() == judged(learner)[:-1].tolist()
    assert np.ptp(judged(begun), axis=0).max() > 0.0


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("name", rest_long(sorted(QUANTUM, key=("q-maddpg", "q-ddpg").__contains__, reverse=True), 2))
def test_a_control_resumes(name: str, control: str, tmp_path: Path) -> None:
    """Two episodes and then two more end with the bytes of four at once, and the checkpoint decides as a policy."""
    loaded, agent = small.scenario(), small.spec(name, **{control: True})
    small.quick_train(loaded, agent, tmp_path / "parts", episodes=2)
    parts = small.quick_train(loaded, agent, tmp_path / "parts", episodes=4)
    whole = small.quick_train(loaded, agent, tmp_path / "whole", episodes=4)
    assert parts.read_bytes() == whole.read_bytes()
    observation = Loop(loaded).reset(7).observation
    action = Learned(parts).decide(observation)
    assert observation.feasible[np.arange(len(observation)), action.option].all()
    with pytest.raises(InputError, match="differs in settings of the agent"):
        small.quick_train(loaded, small.spec(name), tmp_path / "parts", episodes=5)


def test_a_frozen_circuit_is_measured_and_zeros_are_not(tmp_path: Path) -> None:
    """Shots change what a frozen agent decides, and its angles stay; of zeros there is nothing to measure."""
    loaded = small.scenario()
    observation = Loop(loaded).reset(7).observation
    frozen = small.quick_train(loaded, small.spec("q-ddpg", circuit_frozen=True), tmp_path / "frozen")
    exact, noisy = Learned(frozen), Learned(frozen, shots=50)
    assert np.abs(noisy.decide(observation).share - exact.decide(observation).share).max() > 1e-4
    zero = small.quick_train(loaded, small.spec("q-ddpg", circuit_zero=True), tmp_path / "zero")
    with pytest.raises(InputError, match="q-ddpg with circuit_zero=true has no circuit to measure"):
        Learned(zero, shots=50)


def test_they_exclude_each_other() -> None:
    """Both at once is one line."""
    with pytest.raises(InputError, match=r"--option circuit_zero=true: excludes circuit_frozen=true") as caught:
        agent_spec("q-sac", {"circuit_zero": "true", "circuit_frozen": "true"})
    assert "\n" not in str(caught.value)
