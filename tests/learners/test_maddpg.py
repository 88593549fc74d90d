"""Multi-agent DDPG: critics of sets of rows, rewards kept apart, state, and what it learns on S1's case."""

import numpy as np
import pytest
import torch
from cosim_agents.baselines import Local, Random
from cosim_agents.features import Features
from cosim_agents.learners.joint import JointReplay, JointTransition, PendingEpochs
from cosim_agents.learners.joint_networks import Actors, Critics, straight_through
from cosim_agents.learners.learner import AgentSpec, LearningProblem
from cosim_agents.learners.maddpg import Maddpg
from cosim_agents.learners.rollout import play
from cosim_agents.learners.row_policy import RowPolicy
from cosim_agents.learners.scenario_rows import KnobActions, ScenarioRows
from cosim_agents.learners.transitions import Transitions, Turn
from cosim_agents.networks import NetSpec

from cosim.decision import Policy
from cosim.envs.knobs import Knobs
from cosim.envs.loop import Loop
from cosim.kernel.rng import stream
from cosim.scenario.load import load

SETTINGS = {
    "lr": 1e-3,
    "critic_lr": 2e-3,
    "batch": 64,
    "buffer": 20_000,
    "updates": 1,
    "tau": 0.01,
    "warmup_epochs": 100,
    "noise_sigma": 0.2,
    "noise_theta": 0.15,
    "epsilon": 0.1,
    "reward_clip": 10.0,
    "shared": True,
    "embedding": 64,
}
S1 = ["duration_s=60", "trace.positions=false"]


def spec(actor: NetSpec | None = None, **changed: float) -> AgentSpec:
    mlp = NetSpec(kind="mlp", hidden=(32, 32))
    return AgentSpec("maddpg", "maddpg", actor or mlp, mlp, {**SETTINGS, **changed})


def task_of(loop: Loop, components: int = 6) -> LearningProblem:
    """Features fitted on the rows of some random epochs."""
    rng, rows = stream(1, "features"), []
    for seed in range(5):
        following = loop.reset(seed)
        while following is not None:
            rows.append(following.features)
            values = rng.uniform(-1.0, 1.0, (len(following.features), len(loop.knobs.names)))
            step = loop.step(loop.knobs.decode(values, following.observation))
            following = None if step.over else step.following
    return LearningProblem(loop.columns, KnobActions(loop.knobs), Features.fit(np.concatenate(rows), components), 0.9)


def cost_per_slot(policy: Policy, seeds: range = range(900, 908)) -> float:
    """Mean cost of S1 eq 18 of an epoch, over runs that no training has seen."""
    loop, cost, slots = Loop(load("s1_semantic_iov", S1)), 0.0, 0
    for seed in seeds:
        following = loop.reset(seed)
        while following is not None:
            step = loop.step(policy.decide(following.observation))
            following = None if step.over else step.following
            cost, slots = cost + step.costs.cost, slots + 1
    return cost / slots


def critics(agents: int = 2) -> Critics:
    made = Critics(NetSpec(hidden=(16,)), 3, 4, 2, agents, 8, torch.Generator().manual_seed(1))
    made.typical_rows.fill_(1.0)
    return made


def test_critics_see_sets_of_rows_of_each_agent() -> None:
    """The order of rows does not matter to the critics; which agent a row is of, does."""
    generator = torch.Generator().manual_seed(2)
    rows, values = torch.rand(5, 3, generator=generator), torch.rand(5, 4, generator=generator)
    agent = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0])[:, None]
    of = torch.tensor([0, 0, 0, 1, 1])
    q = critics()(torch.cat([rows, agent], dim=1), values, of, 2)
    order = torch.tensor([4, 2, 1, 3, 0])
    mixed = critics()(torch.cat([rows, agent], dim=1)[order], values[order], of[order], 2)
    torch.testing.assert_close(q, mixed)
    other = critics()(torch.cat([rows, 1.0 - agent], dim=1), values, of, 2)
    assert (q - other).abs().min() > 1e-4


def test_critics_are_told_the_target_that_is_carried_out() -> None:
    """Scores count by which is highest, with a gradient to all of them that sums to zero; other values pass."""
    values = torch.tensor([[0.1, 0.3, -0.5], [0.2, -0.2, 0.7]], requires_grad=True)
    told = straight_through(values, 2)
    torch.testing.assert_close(told, torch.tensor([[0.0, 1.0, -0.5], [1.0, 0.0, 0.7]]))
    torch.autograd.backward(told[:, 0].sum())
    assert values.grad is not None
    assert (values.grad[:, 0] > 0.1).all()
    torch.testing.assert_close(values.grad[:, 0], -values.grad[:, 1])


@pytest.mark.parametrize("networks", [1, 3])
def test_actors_decide_rows_of_all_agents_in_one_call(networks: int) -> None:
    """A row's values are those of its agent's network, alone or among the others."""
    actors = Actors(NetSpec(hidden=(8,)), 2, 3, networks, torch.Generator().manual_seed(1))
    seen = torch.tensor([[0.1, 0.2, 2.0], [0.3, 0.4, 0.0], [0.5, 0.6, 2.0]])
    together = actors(seen)
    alone = torch.cat([actors(seen[row : row + 1]) for row in range(3)])
    torch.testing.assert_close(together, alone)
    moved = actors(torch.tensor([[0.1, 0.2, 1.0]]))
    assert torch.equal(moved[0], together[0]) == (networks == 1)


def toy_task() -> LearningProblem:
    """Rows of one feature, one knob, no target."""
    features = Features(np.zeros(1), np.ones(1), np.eye(1), np.zeros(1), np.ones(1))
    return LearningProblem(("x",), KnobActions(Knobs(3, ("share",), ())), features, 0.0)


@pytest.mark.long
def test_each_agent_follows_its_own_reward() -> None:
    """Agent 0 wants a0 = 0.5; agent 1 wants a1 = -0.5 and gains where a0 is not 0.5, which does not move agent 0."""
    learner = Maddpg(spec(shared=0, epsilon=0.0), toy_task(), 3)
    learner._begin(2)
    rng = stream(5, "toy")
    for _ in range(400):
        seen = np.array([[rng.random(), 0.0], [rng.random(), 1.0]], np.float32)
        a = rng.uniform(-1.0, 1.0, (2, 1)).astype(np.float32)
        harm = float((a[0, 0] - 0.5) ** 2)
        reward = np.array([-harm, 3.0 * harm - float((a[1, 0] + 0.5) ** 2)])
        learner._replay.add(JointTransition(seen, a, reward, seen, False))
    for _ in range(500):
        learner._update()
    with torch.no_grad():
        values = learner.actors(torch.tensor([[0.5, 0.0], [0.5, 1.0]]))[:, 0].tolist()
    assert values == pytest.approx([0.5, -0.5], abs=0.15)


def turn(epoch: list[int], row: list[int], reward: list[float], following: bool = True) -> Turn:
    count = len(epoch)
    known = Transitions(
        np.zeros((count, 2), np.float32),
        np.zeros((count, 1)),
        np.array(reward),
        np.zeros((count, 2), np.float32),
        np.zeros(count, np.bool_),
        np.array(epoch, np.int64),
        np.array(row, np.int64),
    )
    return Turn(known, np.ones((1, 2), np.float32) if following else None, sum(reward))


def test_an_epoch_is_learned_from_once_all_its_rewards_are_known() -> None:
    """Late rewards go to the agent that decided, in their own epoch; what is unknown at the end is left out."""
    unsettled = PendingEpochs(3)
    seen = np.array([[0.1, 2.0], [0.2, 0.0], [0.3, 2.0]], np.float32)
    unsettled.decided(seen, np.zeros((3, 1), np.float32))
    assert unsettled.settle(turn([0], [1], [-4.0])) == []
    unsettled.decided(seen[:2], np.zeros((2, 1), np.float32))
    (first,) = unsettled.settle(turn([0, 1, 0], [2, 0, 0], [-1.0, -9.0, -2.0]))
    assert first.reward.tolist() == [-4.0, 0.0, -3.0]
    assert first.seen is seen
    assert not first.terminal
    unsettled.decided(seen[:1], np.zeros((1, 1), np.float32))
    (last,) = unsettled.settle(turn([2], [0], [-5.0], following=False))
    assert last.reward.tolist() == [0.0, 0.0, -5.0]
    assert last.terminal


def test_the_oldest_is_forgotten_first() -> None:
    """A full buffer keeps the newest, also after its state went through arrays."""
    rng = stream(1, "replay")
    replay = JointReplay(3, rng)
    for number in range(5):
        rows = np.full((number + 1, 2), number, np.float32)
        replay.add(JointTransition(rows, rows[:, :1], np.array([float(number)]), rows[:1], number == 4))
        if number == 3:
            again = JointReplay(3, rng)
            again.restore(replay.state())
            replay = again
    assert sorted(joint.reward[0] for joint in replay) == [2.0, 3.0, 4.0]
    assert sorted(len(joint.seen) for joint in replay) == [3, 4, 5]
    batch = replay.sample(8)
    assert batch.seen[:, 0].tolist() == [batch.reward[of, 0].item() for of in batch.of.tolist()]


@pytest.mark.parametrize("kind", ["mlp", "quantum"])
def test_a_resumed_training_ends_with_the_same_weights(kind: str) -> None:
    """Two episodes, the state through arrays into a fresh learner, two more: bit for bit as four episodes."""
    environment = ScenarioRows(Loop(load("s1_semantic_iov", S1), episode_epochs=6))
    task, agent = task_of(Loop(load("s1_semantic_iov", S1))), spec(NetSpec(kind=kind), warmup_epochs=8, shared=0)
    whole, first, second = (Maddpg(agent, task, 7) for _ in range(3))
    for number in range(4):
        play(whole, environment, number)
    for number in range(2):
        play(first, environment, number)
    second.restore(first.state())
    for number in range(2, 4):
        play(second, environment, number)
    one, other = whole.state(), second.state()
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[key], other[key]) for key in one)
    assert any(key.startswith("replay/actors-optimizer") for key in one)


@pytest.mark.long
def test_learns_on_s1() -> None:
    """After 30 episodes its cost per slot is below random choice's and below everything in the vehicles."""
    train = ScenarioRows(Loop(load("s1_semantic_iov", S1), episode_epochs=20))
    learner = Maddpg(spec(), task_of(Loop(load("s1_semantic_iov", S1))), 1)
    for number in range(30):
        log = play(learner, train, number)
    assert log["tasks"] > 20
    learned = cost_per_slot(RowPolicy(train.columns, learner))
    assert learned < 0.9 * cost_per_slot(Random(stream(1, "random")))
    assert learned < 0.9 * cost_per_slot(Local())
