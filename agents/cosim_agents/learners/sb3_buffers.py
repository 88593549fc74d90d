"""Buffers of Stable-Baselines3 that are filled with whole batches of rows and sampled with a generator of their own."""

from collections.abc import Generator
from typing import Any

import numpy as np
from stable_baselines3.common.buffers import ReplayBuffer, RolloutBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples, RolloutBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

from cosim.types import AnyArray, FloatArray
from cosim_agents.learners.learner import State
from cosim_agents.learners.transitions import Transitions

_COLUMNS = ("observations", "next_observations", "actions", "rewards", "dones")


class Replay(ReplayBuffer):
    """A replay buffer of transitions, a ring in which new ones replace the oldest."""

    def __init__(self, *args: Any, rng: np.random.Generator, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rng = rng
        self.latest: ReplayBufferSamples | None = None
        """The last sample."""

    def put(self, batch: Transitions, reward: FloatArray) -> None:
        """Add n transitions in order, with the rewards to learn; of more than the buffer holds, the last are kept."""
        kept = slice(max(0, len(batch) - self.buffer_size), None)
        places = (self.pos + np.arange(len(batch))[kept]) % self.buffer_size
        columns = (batch.seen, batch.following, batch.values, reward, batch.terminal)
        for name, values in zip(_COLUMNS, columns, strict=True):
            getattr(self, name)[places, 0] = values[kept]
        self.full = self.full or self.pos + len(batch) >= self.buffer_size
        self.pos = (self.pos + len(batch)) % self.buffer_size

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:  # noqa: ARG002
        """Return a sample, drawn uniformly with replacement."""
        at = self._rng.integers(0, self.size(), batch_size)
        observations, following, actions, rewards, dones = (
            self.to_torch(getattr(self, name)[at, 0], copy=False) for name in _COLUMNS
        )
        self.latest = ReplayBufferSamples(observations, actions, following, dones[:, None], rewards[:, None])
        return self.latest

    def state(self) -> State:
        """Return the filled rows, and the place of the next."""
        size = self.size()
        state: State = {f"replay/{name}": getattr(self, name)[:size, 0].copy() for name in _COLUMNS}
        state["replay/position"] = np.array([self.pos, int(self.full)])
        return state

    def restore(self, state: State) -> None:
        """Set all that `state` returns; do nothing where a checkpoint was read without it."""
        if "replay/position" not in state:
            return
        for name in _COLUMNS:
            rows = np.asarray(state[f"replay/{name}"])
            getattr(self, name)[: len(rows), 0] = rows
        position = np.asarray(state["replay/position"])
        self.pos, self.full = int(position[0]), bool(position[1])


class Rollout(RolloutBuffer):
    """A roll-out buffer of exactly the rows that were collected, with advantages that were computed outside."""

    def __init__(self, *args: Any, rng: np.random.Generator, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rng = rng

    def fill(self, seen: AnyArray, actions: AnyArray, log_prob: AnyArray, value: AnyArray, advantage: AnyArray) -> None:
        """Replace the content of the buffer by n rows.

        Args:
            seen: (n, k) features.
            actions: (n, A) values.
            log_prob: (n,) their log-probability under the policy that drew them.
            value: (n,) the critic's value.
            advantage: (n,) advantage.
        """
        self.observations, self.actions = seen, actions
        self.log_probs, self.values, self.advantages = log_prob, value, advantage
        self.returns = advantage + value
        self.buffer_size = self.pos = len(seen)
        self.full = True

    def get(self, batch_size: int | None = None) -> Generator[RolloutBufferSamples, None, None]:
        """Yield minibatches in random order; the last may be smaller."""
        size = self.buffer_size if batch_size is None else batch_size
        order = self._rng.permutation(self.buffer_size)
        columns = (self.observations, self.actions, self.values, self.log_probs, self.advantages, self.returns)
        for start in range(0, self.buffer_size, size):
            at = order[start : start + size]
            yield RolloutBufferSamples(*(self.to_torch(column[at]) for column in columns))
