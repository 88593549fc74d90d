"""The interface of learning algorithms: they explore, learn, have a state, and decide."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch

from cosim.types import AnyArray, FloatArray
from cosim_agents.features import Features
from cosim_agents.learners.divergence import check_values
from cosim_agents.learners.environment import RowActions, RowEnvironment, Rows
from cosim_agents.learners.transitions import Turn
from cosim_agents.networks import NetSpec

Value: TypeAlias = int | float | str | bool
"""Value of a setting."""

State: TypeAlias = dict[str, AnyArray | Value]
"""All that a learner needs to continue bit for bit. Large integers, such as a generator's, are text.

Keys that begin with `replay/` are needed to go on training, not to decide: a checkpoint that is read for a policy
leaves them out.
"""


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """An agent of the catalogue with all its settings: equal specs with equal seeds train to equal weights."""

    name: str
    algorithm: str
    actor: NetSpec | None
    """Network of the actor, or the Q network; None for a table."""
    critic: NetSpec | None
    """Network of the critic; unused beside a Q network, None for a table."""
    settings: Mapping[str, Value]

    @property
    def networks(self) -> tuple[NetSpec, NetSpec]:
        """Actor and critic of an agent that has them.

        Raises:
            ValueError: the agent is a table.
        """
        if self.actor is None or self.critic is None:
            raise ValueError(f"{self.name} has no networks")
        return self.actor, self.critic


@dataclass(frozen=True, slots=True)
class LearningProblem:
    """What is learned, as far as it concerns learning: columns, actions, features, discount and unit of reward."""

    columns: tuple[str, ...]
    """Names of the F columns of a row."""
    actions: RowActions
    features: Features
    discount: float
    """Discount factor from one step to the next."""
    reward_unit: float = 1.0
    """Median size of a row's reward under random decisions."""

    @property
    def values(self) -> int:
        """Number of values that a continuous learner gives for each row."""
        return self.actions.values

    def reward(self, raw: FloatArray, clip: float) -> FloatArray:
        """Return rewards as a critic learns them: in `reward_unit`, clipped to [-clip, clip].

        Learning rates then mean the same in every scenario. Clipping is needed because a formula such as S1 eq 10 has
        no bound: a vanishing share of the band makes a latency of hours, and one such row would dominate the critic.
        """
        clipped: FloatArray = np.clip(raw / self.reward_unit, -clip, clip)
        return clipped

    def see(self, rows: Rows) -> AnyArray:
        """Return the features of rows, (n, k) float32."""
        return self.features.transform(rows.features)

    def action(self, values: AnyArray, rows: Rows) -> Any:
        """Return the action for values, (n, values).

        Raises:
            DivergenceError: a value is NaN.
        """
        check_values(values)
        return self.actions.of_values(values, rows)

    def see_choices(self, rows: Rows) -> AnyArray:
        """Return features (n, k) followed by 1 or 0 for each discrete choice, possible or not, as float32."""
        mask = self.actions.possible(rows)
        seen: AnyArray = np.concatenate([self.see(rows), mask], axis=1, dtype=np.float32)
        return seen

    def see_agents(self, rows: Rows) -> AnyArray:
        """Return features followed by the number of the agent that decides each row, (n, k + 1)."""
        seen: AnyArray = np.concatenate([self.see(rows), self.actions.agent(rows)[:, None]], axis=1, dtype=np.float32)
        return seen

    def choose(self, worth: AnyArray, rows: Rows) -> Any:
        """Return the action of the possible choices of highest worth, the first of equals; `worth` is (n, choices).

        Raises:
            DivergenceError: a worth is NaN.
        """
        check_values(worth)
        possible = self.actions.possible(rows)
        return self.actions.of_choices(np.where(possible, worth, -np.inf).argmax(axis=1), rows)


class Learner(Protocol):
    """A learning algorithm in training. All its randomness comes from its seed and is part of its state.

    `cosim_agents.learners.rollout.play` plays episodes with it.
    """

    def playing(self) -> AbstractContextManager[None]:
        """Return the context in which an episode is played: the learner's own random generator of PyTorch."""
        ...

    def begin(self, environment: RowEnvironment) -> None:
        """Prepare for an episode in an environment."""
        ...

    def see(self, rows: Rows) -> AnyArray:
        """Return what the learner keeps of rows, (n, k) float32."""
        ...

    def explore(self, rows: Rows, seen: AnyArray) -> tuple[AnyArray, Any]:
        """Return the values tried for rows, (n, A), and the action that carries them out."""
        ...

    def learn(self, turn: Turn) -> None:
        """Learn from a step."""
        ...

    def end(self) -> None:
        """Learn from the episode as a whole."""
        ...

    def decide(self, rows: Rows) -> Any:
        """Return the present policy's action without exploration: deterministic, one forward pass for all rows."""
        ...

    def state(self) -> State:
        """Return all that has changed since the learner was made; only called between episodes."""
        ...

    def restore(self, state: State) -> None:
        """Continue from a state of a learner of the same spec, task and seed."""
        ...

    def weights(self) -> Mapping[str, Iterable[AnyArray | torch.Tensor]]:
        """Return the numbers that training changes, by the setting that governs their steps."""
        ...
