"""Each algorithm of the catalogue learns, follows with its targets, and can be put down and taken up again."""

import numpy as np
import pytest
import small
import torch
from cosim_agents.learners.catalog import agent_names
from cosim_agents.learners.rollout import play
from cosim_agents.learners.row_policy import RowPolicy

NETWORKS = [name for name in agent_names() if name not in {"q-learning", "maddpg", "q-maddpg"}]


def moved(before: dict, after: dict, part: str) -> bool:
    keys = [key for key in before if part in key]
    assert keys
    return any(not np.array_equal(before[key], after[key]) for key in keys)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_learns(name: str) -> None:
    """Three short episodes change the network that decides, and the target that follows it, all to finite numbers."""
    learner, environment = small.fresh(small.scenario(), small.spec(name))
    before = learner.state()
    for seed in range(3):
        log = play(learner, environment, seed)
        assert log["tasks"] > 0
        assert log["reward"] < 0.0
    after = learner.state()
    part, target = {"dqn": ("/q_net.", "/q_net_target"), "ppo": ("pi.", "vf.")}.get(
        name.removeprefix("q-"), ("/actor.", "/critic_target")
    )
    assert moved(before, after, part)
    assert moved(before, after, target)
    assert all(np.isfinite(value).all() for value in after.values() if isinstance(value, np.ndarray))
    if name.startswith("q-"):
        assert moved(before, after, "circuit.weights" if name != "q-ppo" else "pi.circuit.weights")


@pytest.mark.parametrize("name", NETWORKS)
def test_it_can_be_put_down(name: str) -> None:
    """A fresh learner that is given the state of another goes on as that one does, bit for bit."""
    loaded, agent = small.scenario(), small.spec(name)
    learner, environment = small.fresh(loaded, agent)
    play(learner, environment, 1)
    play(learner, environment, 2)
    other, _ = small.fresh(loaded, agent)
    assert not small.same(learner.state(), other.state())
    other.restore(learner.state())
    assert small.same(learner.state(), other.state())
    assert play(learner, environment, 3) == play(other, environment, 3)
    assert small.same(learner.state(), other.state())


@pytest.mark.parametrize("name", ["q-ddpg", "sac", "ppo", "dqn"])
def test_learners_do_not_meet(name: str) -> None:
    """Two learners that take turns learn what each learns alone, and leave the generators of the process alone."""
    loaded, agent = small.scenario(), small.spec(name)
    alone, environment = small.fresh(loaded, agent)
    for seed in range(3):
        play(alone, environment, seed)
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the very generator that must not move
    first, _ = small.fresh(loaded, agent)
    second, _ = small.fresh(loaded, agent, seed=2)
    for seed in range(3):
        play(first, environment, seed)
        play(second, environment, seed)
    assert small.same(first.state(), alone.state())
    assert not small.same(second.state(), alone.state())
    drawn = torch.rand(1).item(), np.random.random()  # noqa: NPY002
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    assert drawn == (torch.rand(1).item(), np.random.random())  # noqa: NPY002


def test_rates_are_separate() -> None:
    """Actor and critic keep learning rates of their own through training."""
    learner, environment = small.fresh(small.scenario(), small.spec("q-td3", lr=1e-3, critic_lr=5e-3))
    play(learner, environment, 1)
    rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in learner._optimizers.items()}
    assert rates == {"actor-optimizer": 1e-3, "critic-optimizer": 5e-3}


@pytest.mark.parametrize("name", ["q-ddpg", "q-td3"])
def test_methods_of_training(name: str) -> None:
    """Parameter-shift moves a circuit as backprop does, up to rounding; rotosolve moves it another way."""
    loaded = small.scenario()
    weights = {}
    for method in ("backprop", "parameter-shift", "rotosolve"):
        learner, environment = small.fresh(loaded, small.spec(name, method=method))
        for seed in range(2):
            play(learner, environment, seed)
        weights[method] = learner.state()["policy/actor.mu.0.circuit.weights"]
    np.testing.assert_allclose(weights["parameter-shift"], weights["backprop"], atol=1e-4)
    assert not np.allclose(weights["rotosolve"], weights["backprop"], atol=1e-3)


def test_small_twin_is_of_equal_size() -> None:
    """The actor of ddpg-small has as many trainable numbers as that of q-ddpg, within one neuron."""
    loaded = small.scenario()
    quantum, _ = small.fresh(loaded, small.spec("q-ddpg"))
    little, environment = small.fresh(loaded, small.spec("ddpg-small"))
    sizes = [sum(one.numel() for one in learner._actor.parameters()) for learner in (quantum, little)]
    neuron = 3 + 1 + len(environment.actions.knobs.names)
    assert abs(sizes[0] - sizes[1]) <= neuron


def test_dqn_keeps_to_what_is_possible() -> None:
    """Neither an exploring nor a settled DQN ever takes an option that is not feasible."""
    learner, environment = small.fresh(small.scenario("radio.min_snr_db=20"), small.spec("dqn", epsilon=0.5))
    policy = RowPolicy(environment.columns, learner)
    taken, impossible = [], 0
    for seed in range(4):
        play(learner, environment, seed)
        round_ = environment.loop.reset(seed)
        option = policy.decide(round_.observation).option
        taken.append(round_.mask[np.arange(len(option)), option])
        impossible += np.count_nonzero(~round_.mask)
    assert impossible
    assert np.concatenate(taken).all()
