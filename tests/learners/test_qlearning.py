"""Tabular Q-learning: the textbook's values, masks, state, and what it learns on S1's case."""

import numpy as np
import pytest
from cosim_agents.baselines import Local, Random
from cosim_agents.learners.learner import AgentSpec
from cosim_agents.learners.qlearning import QLearning, QTable
from cosim_agents.learners.rollout import play
from cosim_agents.learners.row_policy import RowPolicy
from cosim_agents.learners.scenario_rows import ScenarioRows
from test_maddpg import S1, cost_per_slot, task_of

from cosim.envs.loop import Loop
from cosim.errors import InputError
from cosim.kernel.rng import stream
from cosim.scenario.load import load
from cosim.types import BoolArray, FloatArray

SETTINGS = {"bins": 4, "decay": 0.77, "epsilon": 0.05, "epsilon_epochs": 1500, "warmup_epochs": 40}


def spec(**changed: float) -> AgentSpec:
    return AgentSpec("q-learning", "q-learning", None, None, {**SETTINGS, **changed})


# The recycling robot of Sutton and Barto, Reinforcement Learning (2nd edition), example 3.3, alpha = 0.8, beta = 0.6:
# states high and low; search, wait, recharge, of which the last is no choice in state high.
MOVES = {  # (state, choice): (probability, reward, next state)
    (0, 0): [(0.8, 2.0, 0), (0.2, 2.0, 1)],
    (0, 1): [(1.0, 1.0, 0)],
    (1, 0): [(0.6, 2.0, 1), (0.4, -3.0, 0)],
    (1, 1): [(1.0, 1.0, 1)],
    (1, 2): [(1.0, 0.0, 0)],
}
DISCOUNT = 0.8


def robot_values() -> tuple[FloatArray, BoolArray]:
    """The optimal Q by value iteration, and what is possible."""
    possible = np.array([[True, True, False], [True, True, True]])
    q = np.zeros((2, 3))
    for _ in range(500):
        v = np.where(possible, q, -np.inf).max(axis=1)
        for (state, choice), moves in MOVES.items():
            q[state, choice] = sum(chance * (reward + DISCOUNT * v[to]) for chance, reward, to in moves)
    return q, possible


def test_converges_to_the_values_of_the_recycling_robot() -> None:
    """One transition at a time, every cell equally often, the table comes within 2 % of the optimal values."""
    optimal, possible = robot_values()
    table, rng = QTable(2, 3, DISCOUNT, 0.7), stream(1, "robot")
    cells = list(MOVES)
    for number in range(30_000):
        cell = cells[number % len(cells)]
        chances = np.array([chance for chance, _, _ in MOVES[cell]])
        _, reward, to = MOVES[cell][int(rng.random() > chances[0])]
        state, choice, following = (np.array([value]) for value in (*cell, to))
        table.learn(state, choice, np.array([reward]), following, possible[following], np.array([False]))
    assert table.value[possible] == pytest.approx(optimal[possible], rel=0.02)
    assert table.value[0, 2] == 0.0
    assert table.visits[0, 2] == 0


def test_many_transitions_at_once_are_a_mean_of_them() -> None:
    """With decay 1 a batch leaves the running mean of its targets, as one transition after the other does."""
    together, alone = QTable(2, 2, 0.5, 1.0), QTable(2, 2, 0.5, 1.0)
    state, choice = np.array([0, 0, 1, 0]), np.array([1, 1, 0, 1])
    reward, ends, possible = np.array([4.0, 1.0, 8.0, 1.0]), np.ones(4, np.bool_), np.ones((4, 2), np.bool_)
    together.learn(state, choice, reward, state, possible, ends)
    for row in range(4):
        one = slice(row, row + 1)
        alone.learn(state[one], choice[one], reward[one], state[one], possible[one], ends[one])
    assert together.value == pytest.approx(alone.value)
    assert together.value.tolist() == [[0.0, 2.0], [8.0, 0.0]]


def test_only_possible_choices_count_in_the_maximum() -> None:
    """The value of the next state is its best possible choice's, and nothing's after the end."""
    table = QTable(2, 2, 0.5, 1.0)
    table.value[1] = [10.0, 4.0]
    state = np.array([0, 0])
    table.learn(state, np.array([0, 1]), np.ones(2), np.array([1, 1]), np.array([[False, True]] * 2), state == 1)
    assert table.value[0].tolist() == [3.0, 3.0]
    table.learn(state[:1], state[:1], np.ones(1), np.ones(1, np.int64), np.array([[True, True]]), np.array([True]))
    assert table.value[0, 0] == 2.0


def test_a_state_never_met_is_decided_by_the_others() -> None:
    """A cell without visits has its choice's mean over all visits; a choice that was never made is worst."""
    table = QTable(3, 3, 0.9, 1.0)
    table.value[:2, :2] = [[-4.0, -1.0], [-2.0, -7.0]]
    table.visits[:2, :2] = [[1, 1], [3, 2]]
    known = table.known()
    assert known[2].tolist() == [-2.5, -5.0, -np.inf]
    assert known[0].tolist() == [-4.0, -1.0, -np.inf]


def test_a_resumed_training_ends_with_the_same_table() -> None:
    """Through arrays into a fresh learner, before the classes are fitted and after: bit for bit the same."""
    environment = ScenarioRows(Loop(load("s1_semantic_iov", S1), episode_epochs=6))
    task = task_of(Loop(load("s1_semantic_iov", S1)), 2)
    whole, kept = QLearning(spec(warmup_epochs=12), task, 7), QLearning(spec(warmup_epochs=12), task, 7)
    for number in range(5):
        play(whole, environment, number)
        play(kept, environment, number)
        fresh = QLearning(spec(warmup_epochs=12), task, 7)
        fresh.restore(kept.state())
        kept = fresh
    one, other = whole.state(), kept.state()
    assert one.keys() == other.keys()
    assert "edges" in one
    assert all(np.array_equal(one[key], other[key]) for key in one)
    assert whole.table.visits.sum() > 10


def test_too_large_a_table_is_refused() -> None:
    """Bins to the power of features beyond what fits is told with the options that help."""
    task = task_of(Loop(load("s1_semantic_iov", S1)), 12)
    with pytest.raises(InputError, match="components"):
        QLearning(spec(), task, 1)


@pytest.mark.long
def test_learns_on_s1() -> None:
    """After 120 episodes its cost per slot is below random choice's and below everything in the vehicles."""
    train = ScenarioRows(Loop(load("s1_semantic_iov", S1), episode_epochs=20))
    learner = QLearning(spec(), task_of(Loop(load("s1_semantic_iov", S1)), 4), 1)
    for number in range(120):
        play(learner, train, number)
    learned = cost_per_slot(RowPolicy(train.columns, learner))
    assert learned < 0.9 * cost_per_slot(Random(stream(1, "random")))
    assert learned < 0.9 * cost_per_slot(Local())
