"""Randomness of a learner: nothing that it draws comes from, or moves, the generators that a process shares."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from cosim.rng import stream_key
from cosim.types import AnyArray, FloatArray


class PrivateTorch:
    """PyTorch's global generator, exchanged for the learner's own while the learner works.

    Stable-Baselines3 and `torch.distributions` draw from the global generator and take no other. Threads are held
    at one meanwhile, since the order of a sum depends on their number.
    """

    def __init__(self, seed: int, name: str) -> None:
        generator = torch.Generator().manual_seed(stream_key(seed, name) % 2**63)
        self._state = generator.get_state()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Inside the block torch draws from this learner's stream."""
        outer, threads = torch.random.get_rng_state(), torch.get_num_threads()
        torch.random.set_rng_state(self._state)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            self._state = torch.random.get_rng_state()
            torch.random.set_rng_state(outer)
            torch.set_num_threads(threads)

    @property
    def state(self) -> AnyArray:
        """To be kept in a checkpoint; settable."""
        kept: AnyArray = self._state.numpy().copy()
        return kept

    @state.setter
    def state(self, kept: AnyArray) -> None:
        self._state = torch.from_numpy(kept.copy())


def generator_text(generator: np.random.Generator) -> str:
    """A NumPy generator's state as JSON."""
    return json.dumps(generator.bit_generator.state)


def restore_generator(generator: np.random.Generator, text: str) -> None:
    """Set a NumPy generator to a state from `generator_text`."""
    generator.bit_generator.state = json.loads(text)


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
