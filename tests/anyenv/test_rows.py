"""Environments as rows: what follows a row, when nothing does, and what stands for a row that was cut off."""

from typing import Any

import numpy as np
import pytest
import toys
from rows_of import quick_spec, signals, walk

pytest.importorskip("torch")
from cosim_agents.environments.gymnasium_rows import GymnasiumRows
from cosim_agents.environments.pettingzoo_rows import PettingZooRows
from cosim_agents.features import Features
from cosim_agents.learners.catalog import make_learner
from cosim_agents.learners.learner import LearningProblem
from cosim_agents.learners.on_policy import OnPolicy
from cosim_agents.learners.rollout import EpisodeSums, play, turns
from cosim_agents.learners.transitions import Turn

from cosim.errors import RunError


def played(environment: Any, seed: int = 3) -> tuple[list[Turn], dict[str, float]]:
    """An episode of the first choice, its features the columns themselves."""
    sums = EpisodeSums()

    def act(rows: Any, seen: np.ndarray) -> tuple[np.ndarray, Any]:
        choice = np.zeros(len(seen), np.int64)
        return choice[:, None], environment.actions.of_choices(choice, rows)

    found = list(turns(environment, seed, lambda rows: rows.features, act, sums))
    return found, dict(sums.log())


def test_terminated_is_the_end_and_truncated_is_not() -> None:
    """A last row is terminal only where the environment terminated; else the observation after it follows."""
    ended, log = played(GymnasiumRows("x", toys.Walk(ends=4), 0))
    assert [one.transitions.terminal.tolist() for one in ended] == [[False]] * 3 + [[True]]
    assert ended[-1].following is None
    assert log["steps"] == 4
    for steps, length in ((0, 10), (6, 6)):
        cut, log = played(GymnasiumRows("x", toys.Walk(), steps))
        assert [one.transitions.terminal.tolist() for one in cut] == [[False]] * length
        assert log["steps"] == length
        assert cut[-1].transitions.following[0, 1] == pytest.approx(length / 10)  # the observation at the end
        assert cut[-1].following is not None
    assert log["reward"] == sum(one.total for one in cut)


def test_each_row_follows_its_own_agent() -> None:
    """The successor of a row is the row of the same agent; log and rewards are of each agent and of all."""
    found, log = played(PettingZooRows("x", toys.Signals(), 0))
    assert len(found) == 10
    for one in found:
        assert one.transitions.seen[:, 1].tolist() == one.transitions.following[:, 1].tolist() == [-1.0, 1.0]
        assert not one.transitions.terminal.any()
    assert log["steps"] == 10
    assert log["reward"] == log["reward_a"] + log["reward_b"] == sum(one.total for one in found)


def test_an_agent_that_leaves_is_terminal_alone() -> None:
    """Where an agent is terminated its row is, and the other's goes on alone; it is decided no more."""
    found, _ = played(PettingZooRows("x", toys.Signals(leaver=3), 0))
    assert [len(one.transitions) for one in found] == [2, 2, 2] + [1] * 7
    assert [one.transitions.terminal.tolist() for one in found[:4]] == [
        [False] * 2,
        [False] * 2,
        [False, True],
        [False],
    ]
    assert found[2].transitions.following[0, 1] == -1.0


def test_an_agent_that_is_cut_off_keeps_its_value() -> None:
    """An agent that is truncated while others go on is not terminal: its own last observation follows it."""
    found, _ = played(PettingZooRows("x", toys.Signals(leaver=3, cut=True), 0))
    assert [len(one.transitions) for one in found] == [2, 2, 2] + [1] * 7
    assert not any(one.transitions.terminal.any() for one in found)
    assert found[2].transitions.following[:, 1].tolist() == [-1.0, 1.0]
    assert found[2].following is not None
    assert len(found[2].following) == 1


@pytest.mark.parametrize("kind", ["masked", "methods"])
@pytest.mark.parametrize("name", ["dqn", "ppo", "ddpg", "q-learning"])
def test_masks_are_honoured(kind: str, name: str) -> None:
    """With the mask in info or as a method, nothing forbidden is ever tried or decided: the toy asserts it."""
    environment = GymnasiumRows("x", toys.Walk(kind), 0)
    learner = fresh(environment, quick_spec(walk(kind), name))
    for seed in range(4):
        play(learner, environment, seed)
    waiting: Any = environment.reset(5)
    over = False
    while not over:
        done = environment.step(learner.decide(waiting))
        waiting, over = done.following, done.over


def test_masks_of_agents() -> None:
    """Where only the right action of each agent is allowed, chance earns the optimum."""
    _, log = played(PettingZooRows("x", toys.Signals(masked=True), 0))
    assert log["reward"] < 20  # the first choice, whatever is allowed
    environment = PettingZooRows("x", toys.Signals(masked=True), 0)
    learner = fresh(environment, quick_spec(signals(masked=True), "dqn"))
    assert play(learner, environment, 1)["reward"] == 20.0


def fresh(environment: Any, spec: Any) -> Any:
    low, high = environment.bounds
    features = Features.spanning(np.random.default_rng(1).normal(size=(50, len(low))), low, high)
    return make_learner(spec, LearningProblem(environment.columns, environment.actions, features, 0.9), 1)


@pytest.mark.parametrize(
    ("made", "of"),
    [
        (lambda: GymnasiumRows("x", toys.Walk(ends=4), 0), walk),
        (lambda: GymnasiumRows("x", toys.Walk(), 6), walk),
        (lambda: PettingZooRows("x", toys.Signals(), 0), signals),
        (lambda: PettingZooRows("x", toys.Signals(leaver=3), 0), signals),
        (lambda: PettingZooRows("x", toys.Signals(leaver=3, cut=True), 0), signals),
    ],
    ids=["terminated", "truncated", "agents", "one leaves", "one is cut off"],
)
def test_advantages_are_those_of_each_row(made: Any, of: Any) -> None:
    """PPO's advantage of a row is sum (gamma lambda)^k delta over the same agent's later rows, written out by hand."""
    environment = made()
    learner = fresh(environment, quick_spec(of(), "ppo", rollout_rows=10_000, gae_lambda=0.7))
    assert isinstance(learner, OnPolicy)
    kept: list[Turn] = []
    learn = learner.learn
    learner.learn = lambda turn: (kept.append(turn), learn(turn))[1]  # type: ignore[method-assign]
    play(learner, environment, 3)
    told = [column for _, column in zip(range(5), zip(*learner._collected, strict=True), strict=True)]
    advantage = np.concatenate(told[4])
    place = {}  # (step, agent's column) to the row in the collected ones
    for step, one in enumerate(kept):
        for row in range(len(one.transitions)):
            place[step, one.transitions.seen[row, 1] if of is signals else 0.0] = (len(place), one.transitions, row)
    assert len(place) == len(advantage)
    for step, agent in place:
        wanted, factor = 0.0, 1.0
        here = step
        while (here, agent) in place:
            _, known, row = place[here, agent]
            value, after = (float(learner._value(rows[row : row + 1])[0]) for rows in (known.seen, known.following))
            delta = known.reward[row] + 0.9 * (0.0 if known.terminal[row] else after) - value
            wanted, factor, here = wanted + factor * delta, factor * 0.9 * 0.7, here + 1
        assert advantage[place[step, agent][0]] == pytest.approx(wanted, abs=1e-4)


def test_rewards_of_what_may_end_are_not_shifted() -> None:
    """MADDPG's critics learn r / unit where episodes may end: a shift by the median would reward their end."""
    environment = PettingZooRows("x", toys.Signals(), 0)
    learner = fresh(environment, quick_spec(signals(), "maddpg"))
    play(learner, environment, 1)
    assert (float(learner.critics.middle), float(learner.critics.spread)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (
            {"fails": 2},
            r"^x: step 2 failed \(ArithmeticError: the floor is wet\); correct the environment at .*toys.py:",
        ),
        (
            {"fails": 2, "observed": np.nan},
            r"^x: step 2 failed \(ValueError: an observation has a value that is not fin",
        ),
        ({"fails": 2, "rewarded": np.inf}, r"^x: step 2: the reward is not finite; correct the environment$"),
    ],
)
def test_an_environment_that_fails(options: dict[str, Any], why: str) -> None:
    """An error, or a number that is not finite, is one line with the step and the place."""
    with pytest.raises(RunError, match=why) as raised:
        played(GymnasiumRows("x", toys.Walk(**options), 0))
    assert "\n" not in str(raised.value)


def test_an_episode_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """An episode that goes on and on ends with the option that bounds it; with the option it is longer than that."""
    monkeypatch.setattr("cosim_agents.environments.gymnasium_rows.MOST_STEPS", 30)
    with pytest.raises(RunError, match=r"^x: an episode had 30 steps and is not over; give --epochs"):
        played(GymnasiumRows("x", toys.Walk("endless"), 0))
    assert played(GymnasiumRows("x", toys.Walk("endless"), 40))[1]["steps"] == 40


def test_features_span_what_may_come() -> None:
    """[0, 1] spans bounds, at most ten times what chance saw, and twice that without bounds; constants are kept."""
    rows = np.zeros((101, 4))
    rows[:, 0] = rows[:, 1] = rows[:, 2] = np.linspace(-0.5, 0.5, 101)
    infinite = np.inf
    found = Features.spanning(rows, np.array([-1, -100, -infinite, -2]), np.array([1, 100, infinite, 2]))
    assert found.count == 4
    ends = np.array([[-1.0, -4.9, -0.98, -2.0], [1.0, 4.9, 0.98, 2.0]])
    assert found.transform(ends) == pytest.approx(np.array([[0.0] * 4, [1.0] * 4]), abs=1e-6)
