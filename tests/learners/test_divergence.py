"""A training whose numbers leave the finite ends in one line, and its last good checkpoint is kept."""

from pathlib import Path

import numpy as np
import pytest
import small
import torch
from cosim_agents import checkpoint
from cosim_agents.learned import Learned
from cosim_agents.learners.catalog import agent_names, agent_settings
from cosim_agents.learners.divergence import DivergenceError, check_losses, diverged_settings
from cosim_agents.learners.rollout import play
from effort import rest_long

from cosim.cli import main as cli
from cosim.envs.loop import Loop
from cosim.errors import RunError

ABSURD = 1e30
CHEAP = [("ppo", "critic_lr"), ("sac", "lr"), ("q-ddpg", "critic_lr"), ("maddpg", "critic_lr"), ("dqn", "lr")]
"""One of each kind of learner; q-learning has no rate that could be too high."""
BOUNDED = {(name, "lr") for name in agent_names() if name.removeprefix("q-").startswith(("ddpg", "td3", "maddpg"))}
"""Actors that end in a hyperbolic tangent, or a circuit: whatever their weights are, what they give is finite."""
BOUNDED |= {("q-dqn", "lr")}
RATES = [
    (name, rate)
    for name in agent_names()
    for rate in ("lr", "critic_lr")
    if rate in agent_settings(name) and (name, rate) not in BOUNDED
]


@pytest.mark.parametrize(("name", "rate"), rest_long([*CHEAP, *(one for one in RATES if one not in CHEAP)], len(CHEAP)))
def test_an_absurd_rate_ends_in_one_line(name: str, rate: str, tmp_path: Path) -> None:
    """Whatever diverges first in each agent, the line names the folder, the episode and the rate that is absurd."""
    agent = small.spec(name, **{rate: ABSURD})
    with pytest.raises(RunError, match="the agent diverged in episode") as caught:
        small.quick_train(small.scenario(), agent, tmp_path / "out", episodes=8)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"{tmp_path / 'out'}: ")
    assert f"with a lower --option {rate} (now 1e+30) and another --out" in message


def diverging(monkeypatch: pytest.MonkeyPatch, agent: str, after: int, what: str) -> None:
    """Break a network of the agent's learner after so many episodes."""
    learner, _ = small.fresh(small.scenario(), small.spec(agent))
    kind, real, played = type(learner), type(learner).end, [0]

    def end(self):
        real(self)
        played[0] += 1
        if played[0] == after:
            number = next(iter(self.weights()[what]))
            with torch.no_grad():
                number[(0,) * number.ndim] = float("inf")

    monkeypatch.setattr(kind, "end", end)


PARTS = [
    ("td3", "critic_lr"), ("q-learning", "decisions.reward.scale"), ("q-ddpg", "lr"), ("ppo", "lr"), ("maddpg", "lr"),
    ("q-dqn", "lr"), ("q-sac", "critic_lr"),
]  # fmt: skip


@pytest.mark.parametrize(("agent", "part"), rest_long(PARTS, 2))
def test_the_last_good_checkpoint_is_kept(
    agent: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single weight that is infinite after episode 2: the checkpoint holds 0 and 1, loads, decides and goes on."""
    loaded, spec, out = small.scenario(), small.spec(agent), tmp_path / "out"
    with monkeypatch.context() as broken:
        diverging(broken, agent, 3, part)
        with pytest.raises(RunError, match=f"in episode 2: a weight .* after 2 episodes is kept.* {part} "):
            small.quick_train(loaded, spec, out, episodes=5)
    kept = checkpoint.read(out / "checkpoint.ckpt")
    assert kept.episodes == 2
    numbers = [value for value in kept.state.values() if isinstance(value, np.ndarray) and value.dtype.kind == "f"]
    assert all(np.isfinite(value).all() for value in numbers)
    observation = Loop(loaded).reset(seed=1).observation
    assert len(Learned(out / "checkpoint.ckpt").decide(observation).option) == len(observation)
    again = small.quick_train(loaded, spec, out, episodes=5)
    whole = small.quick_train(loaded, spec, tmp_path / "whole", episodes=5)
    assert small.same(checkpoint.read(again).state, checkpoint.read(whole).state)


@pytest.mark.parametrize("name", agent_names())
def test_every_number_is_looked_at(name: str) -> None:
    """In every agent each weight and each moment of an optimiser is broken by NaN and found, with its rate."""
    learner, environment = small.fresh(small.scenario(), small.spec(name))
    play(learner, environment, 1)
    assert diverged_settings(learner) == []
    rates = {rate for rate in ("lr", "critic_lr") if rate in agent_settings(name)}
    assert learner.weights().keys() == (rates or {"decisions.reward.scale"})
    assert all(map(list, learner.weights().values()))
    for setting, numbers in learner.weights().items():
        for number in numbers:
            if isinstance(number, torch.Tensor) and number.is_leaf and number.is_floating_point():
                with torch.no_grad():
                    before = number.clone()
                    number.fill_(float("nan"))
                assert setting in diverged_settings(learner)
                with torch.no_grad():
                    number.copy_(before)


@pytest.mark.parametrize("name", ["td3", "dqn", "sac", "ppo", "maddpg", "q-ddpg", "q-dqn"])
def test_actions_are_looked_at(name: str) -> None:
    """A policy whose network gives NaN takes no action: argmax and clip would make a wrong one of it, and no error."""
    learner, environment = small.fresh(small.scenario(), small.spec(name))
    play(learner, environment, 1)
    with torch.no_grad():
        for number in learner.weights()["lr"]:
            if number.is_floating_point():
                number.fill_(float("nan"))
    rows = environment.reset(1)
    with pytest.raises(DivergenceError, match="an action is not finite"):
        learner.decide(rows)


@pytest.mark.parametrize(
    ("name", "loss"), [("td3", "critic_loss"), ("sac", "ent_coef_loss"), ("ppo", "value_loss"), ("dqn", "loss")]
)
def test_a_loss_alone_ends_an_episode(name: str, loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update of Stable-Baselines3 that logs an infinite loss ends the episode though all weights are finite."""
    learner, environment = small.fresh(small.scenario(), small.spec(name))
    kind = type(learner._algorithm)
    monkeypatch.setattr(kind, "train", lambda self, *_: self.logger.record(f"train/{loss}", float("inf")))
    with pytest.raises(DivergenceError, match="a loss is not finite"):
        _ = [play(learner, environment, seed) for seed in range(4)]
    assert diverged_settings(learner) == []


def test_losses_are_looked_at() -> None:
    """A loss that is infinite or NaN is told with the rate of its part; those that are finite, or none, are not."""
    check_losses({"train/critic_loss": 1e38, "train/explained_variance": float("nan")})
    for value in (float("inf"), float("nan"), np.float32("-inf")):
        with pytest.raises(DivergenceError) as caught:
            check_losses({"train/loss": value})
        assert caught.value.settings == ("lr",)


def test_the_command_says_how_to_go_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`cosim train` ends with 1 and one line, leaves nothing without a checkpoint, and says the same once more."""
    command = ["train", "s1_semantic_iov", "--agent", "ddpg", "--seeds", "1", "--episodes", "3", "--epochs", "4"]
    options = ["critic_lr=1e30", "warmup_epochs=2", "feature_epochs=5", "hidden=8", "critic_hidden=8", "components=3"]
    for option in options:
        command += ["--option", option]
    told = []
    for _ in range(2):
        assert cli.status([*command, "--set", "twin=null", "--jobs", "1", "--out", str(tmp_path / "out")]) == 1
        printed = capfd.readouterr()
        assert printed.out == ""
        assert printed.err.count("\n") == 1
        assert "diverged in episode 0" in printed.err
        assert "it had no checkpoint yet; train again with a lower --option critic_lr (now 1e+30)" in printed.err
        assert not (tmp_path / "out").exists()
        told.append(printed.err)
    assert told[0] == told[1]
