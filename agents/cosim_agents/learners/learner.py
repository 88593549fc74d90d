"""What every learning algorithm here has in common: it plays episodes, gives its state away, and decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from cosim.decision import Action, Observation, Policy
from cosim.envs.knobs import Knobs
from cosim.envs.loop import Loop
from cosim.types import AnyArray, FloatArray
from cosim_agents.features import Features
from cosim_agents.networks import NetSpec

Value: TypeAlias = int | float | str | bool
"""Of a setting."""

State: TypeAlias = dict[str, AnyArray | Value]
"""Everything that a learner must know to go on bit for bit. Large integers (a generator's) go as text.

Keys that begin with `replay/` are needed to go on training, not to decide: a checkpoint that is read for a policy
leaves them out.
"""


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """An agent of the catalogue with all its settings: equal specs with equal seeds train to equal weights."""

    name: str
    algorithm: str
    actor: NetSpec | None
    """Of the actor, or of the Q network where there is only one; None for a table."""
    critic: NetSpec | None
    """None for a table; a Q network has no use for it."""
    settings: Mapping[str, Value]

    @property
    def networks(self) -> tuple[NetSpec, NetSpec]:
        """Actor and critic of an agent that has them."""
        if self.actor is None or self.critic is None:
            raise ValueError(f"{self.name} has no networks")
        return self.actor, self.critic


@dataclass(frozen=True, slots=True)
class LearningProblem:
    """What a learner is made for: the scenario as far as it concerns learning."""

    columns: tuple[str, ...]
    """Names of the F columns of a row of the observation."""
    knobs: Knobs
    features: Features
    discount: float
    """From one decision epoch to the next."""
    reward_unit: float = 1.0
    """Median size of a task's reward under random decisions."""

    @property
    def values(self) -> int:
        """Numbers that a learner gives for each task: the task's own, then those for the network as a whole."""
        return len(self.knobs.names) + self.knobs.network_size

    def reward(self, told: FloatArray, clip: float) -> FloatArray:
        """Rewards as a critic learns them: in `reward_unit`, cut to [-clip, clip].

        Learning rates then mean the same in every scenario. The cut is needed because a formula such as S1 eq 10 has
        no bound: a vanishing share of the band makes a latency of hours, one such row would rule the critic.
        """
        cut: FloatArray = np.clip(told / self.reward_unit, -clip, clip)
        return cut

    def action(self, values: AnyArray, observation: Observation) -> Action:
        """From (T, values) to an action; knobs of the network take the mean of what the tasks ask for."""
        own = len(self.knobs.names)
        network = values[:, own:].mean(axis=0) if self.knobs.network_size else None
        return self.knobs.decode(values[:, :own], observation, network)

    def with_choices(self, features: AnyArray, observation: Observation) -> AnyArray:
        """Features (T, k), then 1 for each discrete choice that is possible: (T, k + choices) float32."""
        mask = self.knobs.choice_mask(observation)
        seen: AnyArray = np.concatenate([features, mask], axis=1, dtype=np.float32)
        return seen

    def choose(self, worth: AnyArray, observation: Observation) -> Action:
        """The possible choice that is worth most, the first of equals, from (T, choices)."""
        possible = self.knobs.choice_mask(observation)
        return self.knobs.decode_choice(np.where(possible, worth, -np.inf).argmax(axis=1), observation)


@dataclass(frozen=True, slots=True)
class EpisodeLog:
    """Sums over one episode: a row of the learning curve."""

    reward: float
    """Of the team, as the scenario defines it."""
    cost: float
    """Eq 18 of S1 over the tasks that settled."""
    latency_s: float
    energy_j: float
    tasks: int
    """That settled."""
    offloaded: int
    """Of the tasks that were decided: not left in their vehicle."""


class Learner(Protocol):
    """A life of training. All its randomness comes from its seed and is part of its state."""

    def episode(self, loop: Loop, seed: int) -> EpisodeLog:
        """Reset the loop with this seed, play one episode to its end and learn on the way."""
        ...

    def state(self) -> State:
        """All that has changed since the learner was made; only called between episodes."""
        ...

    def restore(self, state: State) -> None:
        """Go on from a state of a learner of the same spec, task and seed."""
        ...

    def policy(self) -> Policy:
        """What it would do now without exploring: deterministic, one forward pass for all rows."""
        ...
