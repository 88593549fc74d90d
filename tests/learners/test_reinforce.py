"""The score function's gradient by hand, and what REINFORCE learns where the optimum is known."""

import copy
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
import pytest
import small
import torch
from cosim_agents.features import Features
from cosim_agents.learners.catalog import agent_spec, make_learner
from cosim_agents.learners.environment import Outcome
from cosim_agents.learners.learner import AgentSpec, LearningProblem
from cosim_agents.learners.reinforce import BASELINES, Reinforce
from cosim_agents.learners.rollout import play
from cosim_agents.learners.score_function import (
    RunningMoments,
    draw_choices,
    falling_entropy,
    lasting_returns,
    log_probabilities,
    row_returns,
    score_loss,
)
from cosim_agents.learners.transitions import Transitions
from cosim_agents.quantum.engine import VQC
from effort import rest_long

from cosim.errors import InputError
from cosim.types import AnyArray, BoolArray, IntArray

GENERATOR = np.random.default_rng(3)
POSSIBLE = torch.tensor([[True, True, True, True], [True, False, True, False], [False, False, True, True]])


# --- the parts -----------------------------------------------------------------------------------------------------


def logits() -> torch.Tensor:
    return torch.tensor(np.random.default_rng(1).normal(size=(3, 4)), requires_grad=True)


def test_probabilities_of_the_possible() -> None:
    """The softmax of each row over its possible choices alone; what is impossible has none and is never drawn."""
    log_prob = log_probabilities(logits(), POSSIBLE).detach().numpy()
    for row, possible in zip(range(3), POSSIBLE.numpy(), strict=True):
        weights = np.exp(logits().detach().numpy()[row]) * possible
        np.testing.assert_allclose(np.exp(log_prob[row]), weights / weights.sum())
    drawn = np.array([draw_choices(log_prob, GENERATOR) for _ in range(4000)])
    for row in range(3):
        share = np.bincount(drawn[:, row], minlength=4) / len(drawn)
        np.testing.assert_allclose(share, np.exp(log_prob[row]), atol=5 * 0.5 / 4000**0.5)
        assert not share[~POSSIBLE[row].numpy()].any()


def test_the_gradient_by_hand() -> None:
    """d/dlogit is mean of A (pi - chosen) + c pi (log pi + H), 0 for what is impossible, and never NaN."""
    given, choice, advantage = logits(), torch.tensor([1, 2, 3]), torch.tensor([0.5, -2.0, 1.0], dtype=torch.float64)
    log_prob = log_probabilities(given, POSSIBLE)
    score_loss(log_prob, choice, advantage, 0.3).backward()
    pi = np.exp(log_prob.detach().numpy())
    log = np.where(POSSIBLE.numpy(), log_prob.detach().numpy(), 0.0)
    spread = -(pi * log).sum(axis=1, keepdims=True)
    wanted = advantage.numpy()[:, None] * (pi - np.eye(4)[choice.numpy()]) + 0.3 * pi * (log + spread)
    np.testing.assert_allclose(given.grad.numpy(), wanted / 3, atol=1e-14)
    assert not given.grad.numpy()[~POSSIBLE.numpy()].any()


@pytest.mark.parametrize("baseline", [0.0, 2.5])
def test_its_mean_is_the_gradient_of_the_expected_reward(baseline: float) -> None:
    """Over all choices with their probabilities, whatever the baseline; the advantage itself is not differentiated."""
    reward = torch.tensor([1.0, -3.0, 2.0, 0.5], dtype=torch.float64)
    given = logits()
    log_prob = log_probabilities(given, POSSIBLE)
    (-(log_prob.exp() * reward).sum(dim=1).mean()).backward()
    exact, mean = given.grad.clone(), torch.zeros(3, 4, dtype=torch.float64)
    pi = log_prob.detach().exp().numpy()
    for choice in product(range(4), repeat=3):
        chance = float(pi[range(3), choice].prod())
        if chance:
            again = logits()
            made = torch.tensor(choice)
            score_loss(log_probabilities(again, POSSIBLE), made, reward[made] - baseline, 0.0).backward()
            mean += chance * again.grad
    torch.testing.assert_close(mean, exact)


def test_returns_by_hand() -> None:
    """Means over the next step's known rows, its worth where none is known, nothing after a terminal row."""
    rewards = [np.array([1.0, 3.0]), np.array([np.nan, np.nan]), np.array([2.0, np.nan, 6.0])]
    no, some = [np.zeros(len(one), np.bool_) for one in rewards], [np.array([False, True]), *[np.zeros(2, np.bool_)]]
    first, second, third = row_returns(rewards, no, [9.0, 8.0, 7.0], 10.0, 0.5)
    np.testing.assert_array_equal(third, [7.0, np.nan, 11.0])
    np.testing.assert_array_equal(second, [np.nan, np.nan])
    np.testing.assert_array_equal(first, [1.0 + 0.5 * 8.0, 3.0 + 0.5 * 8.0])
    first, _ = row_returns([rewards[0], np.array([4.0, 8.0])], some, [0.0, 0.0], 0.0, 0.5)
    np.testing.assert_array_equal(first, [1.0 + 0.5 * 6.0, 3.0])


def test_returns_of_rows_that_go_on() -> None:
    """Along each row's own successors; at a cut, of an agent or of the episode, the worth of the row beyond it."""
    no, some = np.zeros(3, np.bool_), np.array([False, True])
    rewards = [np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0])]
    successors = [np.array([1, 0, 2]), np.array([0, 0])]
    worth = [np.array([7.0, 8.0, 9.0]), np.array([5.0])]
    first, second = lasting_returns(rewards, [no, some], successors, worth, 0.5)
    np.testing.assert_array_equal(second, [10.0 + 0.5 * 5.0, 20.0])
    np.testing.assert_array_equal(first, [1.0 + 0.5 * 20.0, 2.0 + 0.5 * 12.5, 3.0 + 0.5 * 9.0])
    unknown = [rewards[0], np.array([np.nan, 20.0])]
    first, second = lasting_returns(unknown, [no, some], successors, worth, 0.5)
    np.testing.assert_array_equal(first, [11.0, 2.0 + 0.5 * 7.0, 7.5])
    assert np.isnan(second[0])


def test_moments_forget() -> None:
    """All batches weigh the same at first; later the newest has its weight, and the scale follows what is seen."""
    seen, kept = RunningMoments(0.1), []
    assert (seen.mean, seen.deviation) == (0.0, 1.0)
    for number in range(10):
        kept.append(GENERATOR.normal(number, 2.0, 50))
        seen.add(kept[-1])
        assert seen.mean == pytest.approx(np.mean(kept))
        assert seen.deviation == pytest.approx(np.std(kept))
    for _ in range(200):
        seen.add(np.array([100.0, 102.0]))
    assert (seen.mean, seen.deviation) == pytest.approx((101.0, 1.0), abs=1e-3)
    other = RunningMoments(0.1)
    other.restore(seen.state())
    for one in (seen, other):
        one.add(np.array([3.0]))
    assert (seen.mean, seen.deviation) == (other.mean, other.deviation)


def test_entropy_falls_linearly() -> None:
    """From the first weight to the last, up as well as down, and at once where it has no episodes for it."""
    settings = {"entropy": 1.0, "entropy_last": 0.2, "entropy_episodes": 8}
    assert [falling_entropy(settings, episode) for episode in (0, 4, 8, 100)] == pytest.approx([1.0, 0.6, 0.2, 0.2])
    assert falling_entropy({**settings, "entropy_last": 2.0}, 4) == pytest.approx(1.5)
    assert falling_entropy({**settings, "entropy_episodes": 0}, 1) == pytest.approx(0.2)


# --- environments of which the optimum is known --------------------------------------------------------------------


@dataclass(frozen=True)
class _Situations:
    """Rows in one of a few situations, told as one-hot columns."""

    place: IntArray
    number: IntArray
    count: int

    @property
    def features(self) -> AnyArray:
        return np.eye(self.count, dtype=np.float32)[self.place]


@dataclass(frozen=True)
class _Pick:
    """A choice as it is, some of them impossible in some situations."""

    allowed: BoolArray  # (situations, choices)
    values: int = 0
    scores: int = 0

    @property
    def choices(self) -> int:
        return self.allowed.shape[1]

    def of_choices(self, choice: IntArray, rows: _Situations) -> IntArray:
        assert self.allowed[rows.place, choice].all()
        return choice

    def possible(self, rows: _Situations) -> BoolArray:
        return self.allowed[rows.place]


class _Bandits:
    """Four rows a step, each in a situation with a best choice of its own, one of them not possible; two steps."""

    REWARD = np.array([[5.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 9.0]])
    BEST = (1, 1, 2)
    nothing: Final = {"reward": 0.0}
    agents = 1
    lasting = False

    def __init__(self, scale: float = 1.0) -> None:
        self.actions = _Pick(np.array([[False, True, True], [True, True, True], [True, True, True]]))
        self.columns = ("first", "second", "third")
        self._scale = scale

    def reset(self, seed: int) -> _Situations:
        self._rng, self._step = np.random.default_rng(seed), 0
        return self._rows()

    def _rows(self) -> _Situations:
        self._now = _Situations(self._rng.integers(0, 3, 4), np.arange(4) + 4 * self._step, 3)
        return self._now

    def step(self, choice: IntArray) -> Outcome:
        reward = self._scale * (self.REWARD[self._now.place, choice] + self._rng.normal(0.0, 0.5, 4))
        number, self._step = self._now.number, self._step + 1
        over = self._step == 2
        after = None if over else self._rows()
        total = float(reward.sum())
        return Outcome(total, number, reward, after, np.arange(4), np.full(4, over), over, {"reward": total})

    def close(self) -> None:
        pass


class _Chain:
    """Five places in a row; leftwards earns 0.15 and leads back, rightwards nothing but 3 at the end, which ends it.

    An episode is cut off after 12 steps, and what would have followed is told.
    """

    PLACES, DISCOUNT = 5, 0.9
    nothing: Final = {"reward": 0.0}
    agents = 1
    lasting = True
    columns = tuple(f"place{place}" for place in range(PLACES))
    actions = _Pick(np.ones((PLACES, 2), np.bool_))

    def reset(self, seed: int) -> _Situations:
        self._place, self._step = int(np.random.default_rng(seed).integers(self.PLACES)), 0
        return self._row()

    def _row(self) -> _Situations:
        return _Situations(np.array([self._place]), np.array([self._step]), self.PLACES)

    @classmethod
    def move(cls, place: int, choice: int) -> tuple[int, float, bool]:
        if choice == 0:
            return max(0, place - 1), 0.15, False
        last = place == cls.PLACES - 1
        return min(cls.PLACES - 1, place + 1), 3.0 * last, last

    def step(self, choice: IntArray) -> Outcome:
        number = np.array([self._step])
        self._place, reward, ended = self.move(self._place, int(choice[0]))
        self._step += 1
        over = ended or self._step == 12
        after, zero = None if ended else self._row(), np.zeros(1, np.int64)
        return Outcome(reward, number, np.array([reward]), after, zero, np.array([ended]), over, {"reward": reward})

    def close(self) -> None:
        pass


def best_of_chain() -> list[int]:
    """The optimal choices by value iteration."""
    value = np.zeros(_Chain.PLACES)
    for _ in range(500):
        q = np.zeros((_Chain.PLACES, 2))
        for place, choice in product(range(_Chain.PLACES), range(2)):
            to, reward, ended = _Chain.move(place, choice)
            q[place, choice] = reward + _Chain.DISCOUNT * value[to] * (not ended)
        value = q.max(axis=1)
    return q.argmax(axis=1).tolist()


def learner_of(environment: Any, spec: AgentSpec, discount: float, seed: int = 1) -> Reinforce:
    features = Features.fit(np.eye(len(environment.columns)), 0)
    task = LearningProblem(environment.columns, environment.actions, features, discount)
    learner = make_learner(spec, task, seed)
    assert isinstance(learner, Reinforce)
    return learner


def chosen(learner: Reinforce, environment: Any) -> list[int]:
    places = np.arange(len(environment.columns))
    return learner.decide(_Situations(places, places, len(places))).tolist()


QUICK = {"hidden": "16", "critic_hidden": "16", "critic_lr": 0.01, "components": 0}
FREE = {"components": 0, "qubits": 3, "circuit": "angle"}
BANDITS = [(baseline, scale) for scale in (1.0, 1e-4) for baseline in BASELINES]
CHAINS = [("critic", _Chain.DISCOUNT), ("mean", _Chain.DISCOUNT), ("critic", 0.0)]


@pytest.mark.parametrize(("baseline", "scale"), rest_long(BANDITS, 2))
def test_bandits(baseline: str, scale: float) -> None:
    """It finds each situation's best possible choice, with every baseline and whatever the unit of reward is."""
    environment = _Bandits(scale)
    options = {"baseline": baseline, "entropy_episodes": 60, "reward_clip": 1e6, "critic_steps": 5, "lr": 0.03}
    learner = learner_of(environment, agent_spec("reinforce", QUICK | options), 0.0)
    for number in range(100):
        play(learner, environment, number)
    assert chosen(learner, environment) == list(_Bandits.BEST)


@pytest.mark.parametrize(("baseline", "discount"), rest_long(CHAINS, 1))
def test_chain(baseline: str, discount: float) -> None:
    """With the discount it walks to the end from everywhere, as value iteration says; without it takes what is near."""
    environment, wanted = _Chain(), best_of_chain() if discount else [0, 0, 0, 0, 1]
    assert sum(wanted) == (5 if discount else 1)
    options = {"baseline": baseline, "entropy_episodes": 100, "rollout_rows": 30, "lr": 0.03, "critic_steps": 5}
    learner = learner_of(environment, agent_spec("reinforce", QUICK | options), discount)
    for number in range(300):
        play(learner, environment, number)
    assert chosen(learner, environment) == wanted


@pytest.mark.parametrize("method", ["backprop", "parameter-shift"])
def test_a_circuit_learns_by_its_score(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both gradients lead a quantum actor to the same angles, and to the best choices; a shift takes 2 P circuits."""
    calls: list[int] = []
    forward = VQC.forward
    monkeypatch.setattr(VQC, "forward", lambda self, x: (calls.append(len(x)), forward(self, x))[1])
    environment = _Bandits()
    options = {"baseline": "mean", "entropy_episodes": 60, "method": method, "lr": 0.1, "layers": 2}
    learner = learner_of(environment, agent_spec("q-reinforce", FREE | options), 0.0)
    other = learner_of(environment, agent_spec("q-reinforce", FREE | options | {"method": "backprop"}), 0.0)
    begun = learner.state()["actor/circuit.weights"]
    for number in range(10):
        play(learner, environment, number)
    assert len(calls) == 10 * (2 + 1 + 2 * begun.size * (method == "parameter-shift"))
    for number in range(10):
        play(other, environment, number)
    assert not np.array_equal(learner.state()["actor/circuit.weights"], begun)
    np.testing.assert_allclose(
        learner.state()["actor/circuit.weights"], other.state()["actor/circuit.weights"], atol=1e-4
    )
    if method == "backprop":
        for number in range(10, 100):
            play(learner, environment, number)
        assert chosen(learner, environment) == list(_Bandits.BEST)


def test_updates_by_hand() -> None:
    """Two episodes: steps of Adam along the score's gradient, on the running scale of returns, the entropy falling."""
    environment, moments = _Bandits(), RunningMoments(0.05)
    options = {"baseline": "mean", "entropy": 2.0, "entropy_episodes": 4, "lr": 0.05}
    learner = learner_of(environment, agent_spec("reinforce", QUICK | options), 0.9)
    by_hand = copy.deepcopy(learner.actor)
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=0.05)
    learn, batches = learner.learn, list[Transitions]()
    learner.learn = lambda turn: (batches.append(turn.transitions), learn(turn))  # type: ignore[method-assign]
    for weight in (2.0, 1.5):
        play(learner, environment, 3)
        first, last = batches[-2:]
        returned = np.concatenate([first.reward + 0.9 * last.reward.mean(), last.reward])
        moments.add(returned)
        advantage = torch.from_numpy((returned - moments.mean) / moments.deviation)
        rows = torch.from_numpy(np.concatenate([first.seen, last.seen]))
        choice = torch.from_numpy(np.concatenate([first.values, last.values])[:, 0].astype(int))
        optimizer.zero_grad()
        score_loss(log_probabilities(by_hand(rows[:, :3]), rows[:, 3:] > 0.5), choice, advantage, weight).backward()
        optimizer.step()
        for one, wanted in zip(learner.actor.parameters(), by_hand.parameters(), strict=True):
            torch.testing.assert_close(one, wanted, atol=1e-4, rtol=1e-4)


def test_what_follows_a_cut_counts_with_the_critic() -> None:
    """A critic that says 2 everywhere, in deviations of 3: what follows the twelfth step of a chain is worth 6."""
    spec = agent_spec("reinforce", QUICK | {"rollout_rows": 1000})
    learner = learner_of(_Chain(), spec, _Chain.DISCOUNT)
    learner._returns.add(np.array([-3.0, 3.0]))
    with torch.no_grad():
        for net, bias in ((learner.critic, [2.0]), (learner.actor, [50.0, 0.0])):
            for parameter in net.parameters():
                parameter.zero_()
            list(net.parameters())[-1].copy_(torch.tensor(bias))
    play(learner, _Chain(), 1)
    wanted, ahead = [], 6.0
    for _ in range(12):
        ahead = 0.15 + _Chain.DISCOUNT * ahead
        wanted.append(ahead)
    returned = [float(columns[-1][0]) for columns in learner._collected]
    assert returned == pytest.approx(wanted[::-1])


class _Pair(_Bandits):
    """Two agents that go on for three steps in changing order; agent k earns k in each, and then nothing follows."""

    agents = 2
    lasting = True

    def _rows(self) -> _Situations:
        self._order = np.roll(np.arange(2), self._step)
        return _Situations(np.zeros(2, np.int64), self._order + 2 * self._step, 3)

    def step(self, choice: IntArray) -> Outcome:  # noqa: ARG002 - whatever they choose
        order, number = self._order, self._order + 2 * self._step
        self._step += 1
        over = self._step == 3
        reward = order.astype(float)
        return Outcome(1.0, number, reward, self._rows(), np.array([1, 0]), np.full(2, over), over, {"reward": 1.0})


def test_agents_that_go_on_have_returns_of_their_own() -> None:
    """Each row's return is its own agent's, whatever the others earn and in whatever order the rows stand."""
    learner = learner_of(_Pair(), agent_spec("reinforce", QUICK | {"rollout_rows": 1000}), 0.5)
    play(learner, _Pair(), 1)
    returned = [columns[-1].tolist() for columns in learner._collected]
    assert returned == [[0.0, 1.75], [1.5, 0.0], [0.0, 1.0]]


def test_the_critic_sees_all_rows() -> None:
    """A row's baseline depends on the other rows of its step; what an actor does, on its own row alone."""
    learner = learner_of(_Bandits(), agent_spec("reinforce", QUICK), 0.9)
    one, other = (learner._joint(np.eye(6, dtype=np.float32)[[0, last]]) for last in (1, 2))
    np.testing.assert_array_equal(one[0], [1, 0, 0, 0.5, 0.5, 0])
    np.testing.assert_array_equal(other[0], [1, 0, 0, 0.5, 0, 0.5])


@pytest.mark.parametrize(
    ("agent", "options", "told"),
    [
        ("reinforce", {"baseline": "median"}, "baseline=median: is not known; use critic, mean, none"),
        ("q-reinforce", {"method": "rotosolve"}, "use backprop or parameter-shift"),
        ("reinforce", {"forget": 0}, "above 0"),
        ("reinforce", {"forget": 1.5}, "at most 1"),
        ("reinforce", {"entropy": -0.1}, "at least 0"),
        ("reinforce", {"batch": 4}, "no such setting"),
    ],
)
def test_refused(agent: str, options: dict[str, object], told: str) -> None:
    """What cannot be is one line."""
    with pytest.raises(InputError) as caught:
        agent_spec(agent, options)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("baseline", "rollout_rows"), [("mean", 1), ("none", 1000), ("critic", 1000)])
def test_it_can_be_put_down(baseline: str, rollout_rows: int) -> None:
    """Also with rows that wait for an update, and without a critic, a restored learner goes on bit for bit."""
    loaded, agent = small.scenario(), small.spec("reinforce", baseline=baseline, rollout_rows=rollout_rows)
    learner, environment = small.fresh(loaded, agent)
    play(learner, environment, 1)
    assert ("replay/rows/0" in learner.state()) == (rollout_rows > 1)
    other, _ = small.fresh(loaded, agent)
    other.restore(learner.state())
    assert play(learner, environment, 2) == play(other, environment, 2)
    assert small.same(learner.state(), other.state())
