"""The interface of learning algorithms: they play episodes, have a state, and give a policy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import torch

from cosim.decision import Action, Observation, Policy
from cosim.envs.knobs import Knobs
from cosim.envs.loop import Loop
from cosim.types import AnyArray, FloatArray
from cosim_agents.features import Features
from cosim_agents.learners.divergence import check_values
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
    """The scenario as far as it concerns learning: columns, knobs, features, discount and unit of reward."""

    columns: tuple[str, ...]
    """Names of the F columns of a row of the observation."""
    knobs: Knobs
    features: Features
    discount: float
    """Discount factor from one decision epoch to the next."""
    reward_unit: float = 1.0
    """Median size of a task's reward under random decisions."""

    @property
    def values(self) -> int:
        """Number of values that a learner gives for each task: the task's own, then those for the whole network."""
        return len(self.knobs.names) + self.knobs.network_size

    def reward(self, raw: FloatArray, clip: float) -> FloatArray:
        """Return rewards as a critic learns them: in `reward_unit`, clipped to [-clip, clip].

        Learning rates then mean the same in every scenario. Clipping is needed because a formula such as S1 eq 10 has
        no bound: a vanishing share of the band makes a latency of hours, and one such row would dominate the critic.
        """
        clipped: FloatArray = np.clip(raw / self.reward_unit, -clip, clip)
        return clipped

    def action(self, values: AnyArray, observation: Observation) -> Action:
        """Return the action for values, (T, values); knobs of the network take the mean over the tasks.

        Raises:
            DivergenceError: a value is NaN.
        """
        check_values(values)
        own = len(self.knobs.names)
        network = values[:, own:].mean(axis=0) if self.knobs.network_size else None
        return self.knobs.decode(values[:, :own], observation, network)

    def with_choices(self, features: AnyArray, observation: Observation) -> AnyArray:
        """Return features (T, k) followed by 1 or 0 for each discrete choice, possible or not, as float32."""
        mask = self.knobs.choice_mask(observation)
        seen: AnyArray = np.concatenate([features, mask], axis=1, dtype=np.float32)
        return seen

    def choose(self, worth: AnyArray, observation: Observation) -> Action:
        """Return the possible choice of the highest worth, the first of equals; `worth` is (T, choices).

        Raises:
            DivergenceError: a worth is NaN.
        """
        check_values(worth)
        possible = self.knobs.choice_mask(observation)
        return self.knobs.decode_choice(np.where(possible, worth, -np.inf).argmax(axis=1), observation)


@dataclass(frozen=True, slots=True)
class EpisodeLog:
    """Sums over one episode, a row of the learning curve."""

    reward: float
    """Reward of the team, as the scenario defines it."""
    cost: float
    """S1 eq 18 over the tasks whose cost became known."""
    latency_s: float
    energy_j: float
    tasks: int
    """Number of tasks whose cost became known."""
    offloaded: int
    """Number of decided tasks that were not left in their vehicle."""


class Learner(Protocol):
    """A learning algorithm in training. All its randomness comes from its seed and is part of its state."""

    def episode(self, loop: Loop, seed: int) -> EpisodeLog:
        """Reset the loop with this seed, play one episode to its end and learn on the way; return its sums."""
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

    def policy(self) -> Policy:
        """Return the present policy without exploration: deterministic, one forward pass for all rows."""
        ...
