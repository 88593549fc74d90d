"""An environment of Gymnasium as an environment of rows: one row a step."""

from typing import Any, Final

import gymnasium
import numpy as np

from cosim.errors import RunError
from cosim_agents.environments.failures import failing_in
from cosim_agents.environments.spaces import SpaceActions, SpaceColumns, SpaceRows
from cosim_agents.learners.environment import EpisodeLog, Outcome

MOST_STEPS: Final = 100_000
"""Steps after which an episode without a limit of its own is given up."""


def endless(name: str) -> RunError:
    """Return the error of an episode that does not end."""
    return RunError(f"{name}: an episode had {MOST_STEPS:,} steps and is not over; give --epochs, the steps of one")


class GymnasiumRows:
    """An environment of Gymnasium.

    Terminated: nothing follows. Truncated, by the environment or after `steps`: the last observation's value counts.
    `action_mask` of its info, or its method `action_masks()`, says which discrete choices are possible.

    Args:
        name: name of the environment, for messages.
        environment: the environment; closed with this.
        steps: most steps of an episode; 0: until the environment ends it.

    Raises:
        InputError: agents cannot see its observations or take its actions.
    """

    agents = 1
    lasting = True

    def __init__(self, name: str, environment: gymnasium.Env[Any, Any], steps: int) -> None:
        self._name = name
        self._environment = environment
        self._steps = steps
        self._seen = SpaceColumns(name, environment.observation_space)
        self.columns = self._seen.names
        """Names of the columns."""
        self.bounds = self._seen.low, self._seen.high
        """Bounds of the columns, infinite where there are none."""
        self.action_space = environment.action_space
        """Actions of a row, as the environment takes them."""
        self.actions = SpaceActions.of(name, self.action_space)
        self._masks = environment.has_wrapper_attr("action_masks")
        self._step = 0

    @property
    def nothing(self) -> EpisodeLog:
        """Reward and steps of an episode."""
        return {"reward": 0.0, "steps": 0}

    @property
    def unwrapped(self) -> Any:
        """The environment behind its wrappers."""
        return self._environment.unwrapped

    def reset(self, seed: int) -> SpaceRows:
        """Begin the episode of this seed and return its first row."""
        self._step = 0
        with failing_in(self._name, f"reset(seed={seed})", self._environment):
            observation, info = self._environment.reset(seed=seed)
            return self._row(observation, info)

    def step(self, action: list[Any]) -> Outcome:
        """Carry out the action of the row."""
        number, self._step = self._step, self._step + 1
        with failing_in(self._name, f"step {number}", self._environment):
            observation, told, terminated, truncated, info = self._environment.step(action[0])
            reward = float(told)
            if not np.isfinite(reward):
                raise RunError("the reward is not finite")
            following = None if terminated else self._row(observation, info)
        over = bool(terminated or truncated or self._step == self._steps)
        if not over and not self._steps and self._step >= MOST_STEPS:
            raise endless(self._name)
        first = np.zeros(1, np.int64)
        return Outcome(
            reward,
            np.array([number]),
            np.array([reward]),
            following,
            first,
            np.array([bool(terminated)]),
            over,
            {"reward": reward, "steps": 1},
        )

    def close(self) -> None:
        """Close the environment."""
        with failing_in(self._name, "close()", self._environment):
            self._environment.close()

    def _row(self, observation: Any, info: dict[str, Any]) -> SpaceRows:
        row = self._seen.row(observation)[None]
        told = observation["action_mask"] if self._seen.masked else info.get("action_mask")
        if told is None and self._masks:
            told = self._environment.get_wrapper_attr("action_masks")()
        mask = self.actions.mask(told)
        here = np.array([self._step])
        return SpaceRows(row, here, np.zeros(1, np.int64), None if mask is None else mask[None], [observation])
