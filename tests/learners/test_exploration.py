"""What learners try beside what they would do."""

import numpy as np
import pytest
from cosim_agents.learners.exploration import Exploration, OrnsteinUhlenbeck, falling_epsilon

SETTINGS = {"noise_theta": 0.15, "noise_sigma": 0.2, "epsilon": 0.25}


@pytest.mark.parametrize("theta", [0.15, 1.0])
def test_noise_is_stationary_from_the_start(theta: float) -> None:
    """Its deviation is sigma / sqrt(2 theta - theta^2) at once and later, steps correlate by 1 - theta."""
    noise = OrnsteinUhlenbeck(2, theta, 0.2, np.random.default_rng(1))
    steps = np.array([noise.draw(20_000) for _ in range(3)])
    assert steps.std(axis=(1, 2)) == pytest.approx(0.2 / (2.0 * theta - theta**2) ** 0.5, rel=0.02)
    assert np.corrcoef(steps[1, :, 0], steps[2, :, 0])[0, 1] == pytest.approx(1.0 - theta, abs=0.02)


def test_walks_go_on_by_row_until_the_episode_ends() -> None:
    """A row that is missing for an epoch pauses; a new row begins a walk of its own; an episode begins all anew."""
    noise = OrnsteinUhlenbeck(1, 1e-9, 1e-9, np.random.default_rng(1))
    first = noise.draw(3)
    assert noise.draw(1) == pytest.approx(first[:1], abs=1e-7)
    later = noise.draw(5)
    assert later[:3] == pytest.approx(first, abs=1e-7)
    noise.restart()
    assert np.abs(noise.draw(5) - later).min() > 1e-7


def test_scores_of_some_rows_are_of_chance() -> None:
    """A part epsilon of the rows has new scores and keeps its other values; all stay in [-1, 1]."""
    explored = Exploration(SETTINGS | {"noise_sigma": 1e-9}, 3, 2, np.random.default_rng(1))
    values = np.tile([0.9, -0.9, 0.5], (4000, 1))
    tried = explored.around(values)
    anew = (np.abs(tried - values) > 1e-6)[:, :2].all(axis=1)
    assert anew.mean() == pytest.approx(0.25, abs=0.03)
    assert tried[:, 2] == pytest.approx(0.5, abs=1e-6)
    assert tried[anew, 0].mean() == pytest.approx(0.0, abs=0.1)
    assert np.abs(Exploration(SETTINGS, 3, 2, np.random.default_rng(1)).around(values)).max() == 1.0


def test_epsilon_falls() -> None:
    """From 1 in a straight line to its end, where it stays."""
    settings = {"epsilon": 0.2, "epsilon_epochs": 10}
    assert [falling_epsilon(settings, epochs) for epochs in (0, 5, 10, 99)] == pytest.approx([1.0, 0.6, 0.2, 0.2])
    assert falling_epsilon(settings | {"epsilon_epochs": 0}, 1) == 0.2
