"""Gymnasium and Stable-Baselines3 find nothing wrong with the environment, whatever the scenario."""

import warnings

import gymnasium
import numpy as np
import pytest
from acting import SHORT, shortened
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_by_sb3

import cosim.envs
from cosim.envs.single import OffloadingEnv
from cosim.errors import InputError
from cosim.scenario.load import bundled_scenarios

NAME = "cosim/Offloading-v0"
CHECKED = {"s1_semantic_iov", "s5_placement_paper", "qib_vec"}
"""Scenarios whose spaces differ, and are small; the long run checks all."""


@pytest.mark.parametrize("name", sorted(set(bundled_scenarios()) - CHECKED))
def test_a_first_step(name: str) -> None:
    """In every scenario what is seen and done lies in the spaces that the environment declares."""
    env = OffloadingEnv(scenario=name, overrides=shortened(name), rows=4)
    seen, _ = env.reset(seed=1)
    assert env.observation_space.contains(seen)
    for _ in range(3):
        action = env.action_space.sample()
        assert env.action_space.contains(action)
        seen, reward, *ends, _ = env.step(action)
        assert env.observation_space.contains(seen)
        assert np.isfinite(reward)
        assert ends == [False, False]
    env.close()


@pytest.mark.parametrize(
    "name", [name if name in CHECKED else pytest.param(name, marks=pytest.mark.long) for name in bundled_scenarios()]
)
def test_the_checkers_are_content(name: str) -> None:
    """Both libraries' checks pass without a warning."""
    env = gymnasium.make(NAME, scenario=name, overrides=shortened(name), rows=4).unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=ResourceWarning)  # files of other parts, when memory is tidied
        check_env(env)
        check_by_sb3(env)
    env.close()


def test_every_bundled_scenario_is_short_here() -> None:
    """The table of durations names the bundled scenarios and nothing else; importing cosim.envs registers the name."""
    assert set(SHORT) == set(bundled_scenarios())
    assert NAME in gymnasium.registry
    assert cosim.envs.__doc__


def test_an_episode_by_the_gymnasium_interface() -> None:
    """Rounds of at most `rows` tasks with present rows first; the duration truncates, and what waits then is seen."""
    env = OffloadingEnv(overrides=shortened("s1_semantic_iov", "decisions.period_s=4"), rows=2)
    seen, info = env.reset(seed=3)
    tasks, total, width = list(info["tasks"]), 0.0, len(env.loop.columns) + 1
    ended = False
    while not ended:
        present = seen.reshape(2, width)[:, -1]
        assert present.tolist() == [1.0, float(len(info["tasks"]) == 2)]
        assert info["action_mask"].shape == (2, 3)
        assert seen.reshape(2, width)[present == 0.0].any() == np.False_
        seen, reward, terminated, ended, info = env.step(env.action_space.sample() * 0.0)
        total += float(reward)
        tasks += list(info["tasks"])
        assert info["costs"]["tasks"] in {1, 2}
        assert not terminated
    assert tasks == sorted(set(tasks))
    assert seen.reshape(2, width)[:, -1].any()
    assert env.loop._over
    assert total < 0.0
    with pytest.raises(RuntimeError, match="reset"):
        env.step(env.action_space.sample())


def test_seeds_make_episodes() -> None:
    """reset(seed) is the loop's episode of this seed; reset() without one differs from it, and from that of a copy."""
    env = OffloadingEnv(overrides=shortened("s1_semantic_iov"), episode_epochs=5)
    first, _ = env.reset(seed=9)
    second, _ = env.reset()
    assert np.array_equal(env.reset(seed=9)[0], first)
    assert np.array_equal(env.reset()[0], second)
    assert not np.array_equal(first, second)
    rows = env.loop.reset(9).features
    assert np.array_equal(first.reshape(8, -1)[: len(rows), :-1], rows)
    one, other = (OffloadingEnv(overrides=shortened("s1_semantic_iov")).reset()[0] for _ in range(2))
    assert not np.array_equal(one, other)


def test_epochs_truncate() -> None:
    """After episode_epochs epochs the episode is truncated, not terminated."""
    env = OffloadingEnv(overrides=shortened("s1_semantic_iov"), episode_epochs=2)
    env.reset(seed=1)
    ends = [env.step(env.action_space.sample())[2:4] for _ in range(2)]
    assert ends == [(False, False), (False, True)]


def test_a_scenario_without_knobs_is_refused() -> None:
    """An environment in which nothing can be turned is an InputError of one line."""
    with pytest.raises(InputError, match="hands over nothing"):
        OffloadingEnv(overrides=["decisions.knobs=[]"])
