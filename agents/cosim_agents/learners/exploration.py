"""How learners try what they would not do by now: noise on the values of a task, options drawn at random."""

from collections.abc import Mapping

import numpy as np

from cosim.types import AnyArray, FloatArray
from cosim_agents.learners.learner import Value


class OrnsteinUhlenbeck:
    """Noise that is correlated in time, x <- (1 - theta) x + sigma N(0, 1), one walk for each row and value.

    Row i of an epoch goes on from row i of the epoch before: the same pairing as in the transitions. An episode
    starts from the stationary distribution, whose deviation is sigma / sqrt(2 theta - theta^2): 20 epochs are too
    few to come there from zero. theta=1 makes it white.
    """

    def __init__(self, values: int, theta: float, sigma: float, rng: np.random.Generator) -> None:
        self._values = values
        self._theta = theta
        self._sigma = sigma
        self._rng = rng
        self._x = np.zeros((0, values))

    def restart(self) -> None:
        """A new episode begins."""
        self._x = np.zeros((0, self._values))

    def draw(self, rows: int) -> FloatArray:
        """The next step of the first `rows` walks, (rows, values)."""
        missing = rows - len(self._x)
        if missing > 0:
            spread = self._sigma / (2.0 * self._theta - self._theta**2) ** 0.5
            self._x = np.concatenate([self._x, spread * self._rng.standard_normal((missing, self._values))])
        walking = self._x[:rows]
        walking += -self._theta * walking + self._sigma * self._rng.standard_normal(walking.shape)
        step: FloatArray = walking.copy()
        return step


class Exploration:
    """Around a deterministic actor: noise on all values, and a part `epsilon` of the rows with scores of chance.

    The argmax of scores whose differences outgrow the noise would never change again; hence the second way. Its rows
    keep their share and power, or every option would be judged by what chance makes of them: on S1 a random share of
    the band makes offloading look worse than it is, and the actor would settle in its vehicle for good.

    Args:
        settings: noise_theta, noise_sigma, epsilon.
        values: A, numbers of a task.
        scores: the first so many of them are redrawn.
        rng: of all of it.
    """

    def __init__(self, settings: Mapping[str, Value], values: int, scores: int, rng: np.random.Generator) -> None:
        self._noise = OrnsteinUhlenbeck(values, float(settings["noise_theta"]), float(settings["noise_sigma"]), rng)
        self._epsilon = float(settings["epsilon"])
        self._scores = scores
        self._rng = rng

    def restart(self) -> None:
        """A new episode begins."""
        self._noise.restart()

    def around(self, values: AnyArray) -> AnyArray:
        """The actor's values (T, A) as they are tried, in [-1, 1]."""
        tried: AnyArray = np.clip(values + self._noise.draw(len(values)), -1.0, 1.0)
        anew = self._rng.random(len(tried)) < self._epsilon
        tried[anew, : self._scores] = self._rng.uniform(-1.0, 1.0, tried.shape)[anew, : self._scores]
        return tried


def falling_epsilon(settings: Mapping[str, Value], epochs: int) -> float:
    """From 1 linearly to `epsilon` over the first `epsilon_epochs` epochs."""
    least, over = float(settings["epsilon"]), int(settings["epsilon_epochs"])
    return max(least, 1.0 - (1.0 - least) * epochs / max(1, over))
