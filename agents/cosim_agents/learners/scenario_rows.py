"""A scenario as an environment of rows: a row is a task that waits, a step is a decision epoch."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from cosim.decision import Action, Observation
from cosim.envs.columns import encode
from cosim.envs.deciders import deciding_site
from cosim.envs.knobs import Knobs
from cosim.envs.loop import Loop, Round
from cosim.envs.traffic import sites_of
from cosim.types import AnyArray, BoolArray, IntArray, Tier
from cosim_agents.learners.environment import EpisodeLog, Outcome

NOTHING: Final[EpisodeLog] = {
    "reward": 0.0,
    "cost": 0.0,
    "latency_s": 0.0,
    "energy_j": 0.0,
    "tasks": 0,
    "offloaded": 0,
}
"""The sums of an episode before its first step, over the tasks whose cost became known: reward of the team, S1 eq 18,
latency, energy, their number, and how many were not left in their vehicle when they were decided."""


class TaskRows:
    """The tasks of an observation as rows, all of them at once."""

    def __init__(self, observation: Observation, round_: Round | None = None) -> None:
        self.observation = observation
        self._round = round_

    @cached_property
    def features(self) -> AnyArray:
        """Columns of each task, see `cosim.envs.columns`; made when first read."""
        return encode(self.observation) if self._round is None else self._round.features

    @property
    def number(self) -> IntArray:
        """Number of each task."""
        return self.observation.task


@dataclass(frozen=True, slots=True)
class KnobActions:
    """The decoding to the knobs that a scenario hands over, as `cosim.envs.knobs` has it."""

    knobs: Knobs

    @property
    def values(self) -> int:
        """Values of a task: scores of the options, then one for each further knob."""
        return len(self.knobs.names)

    @property
    def scores(self) -> int:
        """The options, where the target is a knob."""
        return self.knobs.options if self.knobs.targets else 0

    @property
    def choices(self) -> int:
        """Options times power levels."""
        return self.knobs.choices

    def of_values(self, values: AnyArray, rows: TaskRows) -> Action:
        """Return the action for values, (T, A)."""
        return self.knobs.decode(values, rows.observation)

    def of_choices(self, choice: IntArray, rows: TaskRows) -> Action:
        """Return the action for choices, (T,)."""
        return self.knobs.decode_choice(choice, rows.observation)

    def possible(self, rows: TaskRows) -> BoolArray:
        """Return which choices are feasible, (T, choices)."""
        return self.knobs.choice_mask(rows.observation)

    def agent(self, rows: TaskRows) -> IntArray:
        """Return the site that decides each task, see `cosim.envs.deciders`."""
        return deciding_site(rows.observation)


class ScenarioRows:
    """The environment of a scenario's loop, which must give all rows of an epoch at once.

    The task that follows task i of an epoch is row i mod T' of the next epoch: tasks do not go on, so it stands for
    the tasks that the decision leaves behind it. Where an episode is truncated, by its epochs or by the scenario's
    duration, the tasks that wait for a decision then follow and their value counts. Where none wait when the duration
    is over, nothing is known of what would have followed. Terminal is the last epoch only where no task can come any
    more.
    """

    nothing = NOTHING

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.actions = KnobActions(loop.knobs)
        self._waiting: TaskRows | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of a task."""
        return self.loop.columns

    @property
    def agents(self) -> int:
        """Number of sites."""
        return len(sites_of(self.loop.scenario, Path()))

    def reset(self, seed: int) -> TaskRows:
        """Begin the episode of this seed and return the tasks of its first epoch."""
        first = self._waiting = _tasks(self.loop.reset(seed))
        return first

    def step(self, action: Action) -> Outcome:
        """Decide the tasks of the epoch and run to the next.

        Raises:
            RuntimeError: no epoch waits.
        """
        if self._waiting is None:
            raise RuntimeError("no epoch waits; call reset()")
        observation = self._waiting.observation
        count = len(observation)
        offloaded = int(np.count_nonzero(observation.tier[np.arange(count), action.option] != Tier.LOCAL))
        step = self.loop.step(action)
        following = self._waiting = None if step.following is None else _tasks(step.following)
        successor = np.arange(count)
        return Outcome(
            step.total,
            step.settled_task,
            step.settled_reward,
            following,
            successor if following is None else successor % len(following.observation),
            np.full(count, step.terminated),
            step.over,
            {
                "reward": step.total,
                "cost": step.costs.cost,
                "latency_s": step.costs.latency_s,
                "energy_j": step.costs.energy_j,
                "tasks": step.costs.tasks,
                "offloaded": offloaded,
            },
        )

    def close(self) -> None:
        """End the run."""
        self.loop.close()


def _tasks(round_: Round) -> TaskRows:
    return TaskRows(round_.observation, round_)
