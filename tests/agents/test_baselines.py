"""Rules decide what their names say, and only what is possible."""

from dataclasses import replace

import numpy as np
import pytest
from cosim_agents.registry import make_policy, policy_names
from effort import drawn
from hypothesis import given
from hypothesis import strategies as st
from observations import random_observation

from cosim.kernel.rng import stream
from cosim.types import Tier


@pytest.mark.parametrize("name", policy_names())
@given(seed=st.integers(0, 10**6), tasks=st.integers(0, 4), dark=st.booleans())
@drawn(60)
def test_options_are_feasible(name: str, seed: int, tasks: int, dark: bool) -> None:
    """Every policy answers one column per task, a feasible one, and column 0 where a task has none."""
    observation = random_observation(np.random.default_rng(seed), tasks)
    if dark:
        observation = replace(observation, feasible=np.zeros_like(observation.feasible))
    option = make_policy(name, {}, stream(seed, "policy")).decide(observation).option
    assert option.shape == (tasks,)
    assert np.issubdtype(option.dtype, np.integer)
    some = observation.feasible.any(axis=1)
    assert observation.feasible[np.arange(tasks), option][some].all()
    assert (option[~some] == 0).all()


@pytest.mark.parametrize("name", policy_names())
def test_same_stream_same_choice(name: str) -> None:
    """Two policies with the same stream decide the same, epoch after epoch."""
    epochs = [random_observation(np.random.default_rng(seed), 4) for seed in range(5)]
    first, second = (make_policy(name, {}, stream(7, "policy")) for _ in range(2))
    for observation in epochs:
        np.testing.assert_array_equal(first.decide(observation).option, second.decide(observation).option)


def test_random_is_uniform_over_feasible() -> None:
    """`random` takes each of k feasible options with probability 1/k (20,000 draws, 5 sigma)."""
    draws = 20_000
    observation = random_observation(np.random.default_rng(1), 1)
    feasible = np.array([[True, False, True, True, False]])
    rows = {name: np.repeat(getattr(observation, name), draws, axis=0) for name in ("task", "tier", "target")}
    observation = replace(observation, **rows, feasible=np.repeat(feasible, draws, axis=0))
    option = make_policy("random", {}, stream(3, "policy")).decide(observation).option
    counts = np.bincount(option, minlength=5)
    assert counts[1] == counts[4] == 0
    assert np.abs(counts[[0, 2, 3]] - draws / 3).max() < 5 * np.sqrt(draws * 2 / 9)


def test_nearest_takes_first_edge() -> None:
    """`nearest` takes the first feasible edge column, never the cloud, and stays local without one."""
    observation = random_observation(np.random.default_rng(2), 3)
    feasible = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 1, 1], [1, 0, 0, 1, 1]], dtype=np.bool_)
    observation = replace(observation, feasible=feasible)
    assert make_policy("nearest", {}, stream(1, "policy")).decide(observation).option.tolist() == [1, 2, 0]


def test_greedy_takes_smallest_estimate() -> None:
    """`greedy-latency` takes the column with the smallest expected latency of its row."""
    observation = random_observation(np.random.default_rng(3), 50)
    option = make_policy("greedy-latency", {}, stream(1, "policy")).decide(observation).option
    chosen = observation.expected_s[np.arange(50), option]
    assert (chosen <= observation.expected_s.min(axis=1)).all()


def test_round_robin_visits_every_host_in_turn() -> None:
    """`round-robin` goes through the hosts in site order, over the end, and remembers where it was."""
    observation = random_observation(np.random.default_rng(4), 5, edges=2, neighbour=False)
    observation = replace(
        observation,
        target=np.tile([-1, 2, 0, 3], (5, 1)),
        feasible=np.array([[1, 1, 1, 1]] * 4 + [[1, 0, 0, 0]], dtype=np.bool_),
    )
    policy = make_policy("round-robin", {}, stream(1, "policy"))
    for expected in ([0, 2, 3, 0, -1], [2, 3, 0, 2, -1]):
        option = policy.decide(observation).option
        assert observation.target[np.arange(5), option].tolist() == expected
    assert (observation.tier[4, option[4]]) == Tier.LOCAL
