"""Randomness of a learner: its draws neither use nor move the global generators of a process."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from cosim.kernel.rng import stream, stream_key
from cosim.types import AnyArray
from cosim_agents.learners.learner import State


def torch_generator(seed: int, name: str) -> torch.Generator:
    """Return a generator of PyTorch for a named random stream."""
    return torch.Generator().manual_seed(stream_key(seed, name) % 2**63)


class PrivateTorch:
    """A context manager's factory that exchanges PyTorch's global generator for the learner's own.

    Stable-Baselines3 and `torch.distributions` draw from the global generator and take no other. Threads are held
    at one meanwhile, since the order of a sum depends on their number.
    """

    def __init__(self, seed: int) -> None:
        self._state = torch_generator(seed, "torch").get_state()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Within the block, have torch draw from this learner's stream, on one thread."""
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
        """State of the learner's generator, for a checkpoint; settable."""
        kept: AnyArray = self._state.numpy().copy()
        return kept

    @state.setter
    def state(self, kept: AnyArray) -> None:
        self._state = torch.from_numpy(kept.copy())


class Randomness:
    """The generators of a learner with networks: torch's, and NumPy streams by name.

    Args:
        seed: seed of the learner.
        streams: random stream of each name in the state, such as sampling="replay".
    """

    def __init__(self, seed: int, **streams: str) -> None:
        self.torch = PrivateTorch(seed)
        self._generators = {name: stream(seed, drawn) for name, drawn in streams.items()}

    def __getitem__(self, name: str) -> np.random.Generator:
        """Return the generator of a name."""
        return self._generators[name]

    def state(self) -> State:
        """Return the states of all generators."""
        texts = {name: generator_text(generator) for name, generator in self._generators.items()}
        return {**texts, "torch": self.torch.state}

    def restore(self, state: State) -> None:
        """Set the states that `state` returns."""
        for name, generator in self._generators.items():
            restore_generator(generator, str(state[name]))
        self.torch.state = np.asarray(state["torch"])


def generator_text(generator: np.random.Generator) -> str:
    """Return a NumPy generator's state as JSON."""
    return json.dumps(generator.bit_generator.state)


def restore_generator(generator: np.random.Generator, text: str) -> None:
    """Set a NumPy generator to a state from `generator_text`."""
    generator.bit_generator.state = json.loads(text)
