"""Exploration of learners: noise on the values of a task, and options drawn at random."""

from collections.abc import Mapping

import numpy as np

from cosim.types import AnyArray, FloatArray
from cosim_agents.learners.learner import Value


class OrnsteinUhlenbeck:
    """Ornstein-Uhlenbeck noise, x <- (1 - theta) x + sigma N(0, 1), one process for each row and value.

    Row i of an epoch continues row i of the epoch before: the same pairing as in the transitions. An episode
    starts from the stationary distribution, whose deviation is sigma / sqrt(2 theta - theta^2): 20 epochs are too
    few to reach it from zero. theta=1 makes the noise white.

    Args:
        values: number of values of a row.
        theta: pull to zero in each step, in (0, 1].
        sigma: standard deviation of a step.
        rng: random stream.
    """

    def __init__(self, values: int, theta: float, sigma: float, rng: np.random.Generator) -> None:
        self._values = values
        self._theta = theta
        self._sigma = sigma
        self._rng = rng
        self._x = np.zeros((0, values))

    def restart(self) -> None:
        """Begin a new episode."""
        self._x = np.zeros((0, self._values))

    def draw(self, rows: int) -> FloatArray:
        """Advance the processes of the first rows by a step, and return their values, (rows, values)."""
        missing = rows - len(self._x)
        if missing > 0:
            spread = self._sigma / (2.0 * self._theta - self._theta**2) ** 0.5
            self._x = np.concatenate([self._x, spread * self._rng.standard_normal((missing, self._values))])
        walking = self._x[:rows]
        walking += -self._theta * walking + self._sigma * self._rng.standard_normal(walking.shape)
        step: FloatArray = walking.copy()
        return step


class Exploration:
    """Exploration around a deterministic actor: noise on all values, and random option scores in a share of the rows.

    The argmax of scores whose differences outgrow the noise would never change again; hence the random scores. Their
    rows keep share and power, or every option would be judged with random ones: on S1 a random share of the band makes
    offloading look worse than it is, and the actor would settle on local computing for good.

    Args:
        settings: values of noise_theta, noise_sigma and epsilon, the share of rows.
        values: A, the number of values of a task.
        scores: number of option scores, the first of the values.
        rng: random stream.
    """

    def __init__(self, settings: Mapping[str, Value], values: int, scores: int, rng: np.random.Generator) -> None:
        self._noise = OrnsteinUhlenbeck(values, float(settings["noise_theta"]), float(settings["noise_sigma"]), rng)
        self._epsilon = float(settings["epsilon"])
        self._scores = scores
        self._rng = rng

    def restart(self) -> None:
        """Begin a new episode."""
        self._noise.restart()

    def around(self, values: AnyArray) -> AnyArray:
        """Return the values to try in place of the actor's, (T, A), in [-1, 1]."""
        tried: AnyArray = np.clip(values + self._noise.draw(len(values)), -1.0, 1.0)
        anew = self._rng.random(len(tried)) < self._epsilon
        tried[anew, : self._scores] = self._rng.uniform(-1.0, 1.0, tried.shape)[anew, : self._scores]
        return tried


def falling_epsilon(settings: Mapping[str, Value], epochs: int) -> float:
    """Return the share of exploring rows: from 1 linearly to `epsilon` over the first `epsilon_epochs` epochs.

    >>> [falling_epsilon({"epsilon": 0.1, "epsilon_epochs": 100}, epochs) for epochs in (0, 50, 200)]
    [1.0, 0.55, 0.1]
    """
    least, over = float(settings["epsilon"]), int(settings["epsilon_epochs"])
    return max(least, 1.0 - (1.0 - least) * epochs / max(1, over))
