"""A parallel environment of PettingZoo as an environment of rows: a row for each agent that is to act."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cosim.errors import InputError, RunError
from cosim_agents.environments.failures import failing_in
from cosim_agents.environments.gymnasium_rows import MOST_STEPS, endless
from cosim_agents.environments.spaces import SpaceActions, SpaceColumns, SpaceRows
from cosim_agents.learners.environment import EpisodeLog, Outcome


class PettingZooRows:
    """A parallel environment of PettingZoo, whose agents have equal spaces.

    What follows a row is the row of the same agent. An agent that is terminated has nothing after it; of one that is
    truncated the last observation's value counts. Masks are in the info of an agent or in its observation.

    Args:
        name: name of the environment, for messages.
        environment: the environment; closed with this.
        steps: most steps of an episode; 0: until the environment ends it.

    Raises:
        InputError: its agents have different spaces, or agents cannot see its observations or take its actions.
    """

    lasting = True

    def __init__(self, name: str, environment: Any, steps: int) -> None:
        self._name = name
        self._environment = environment
        self._steps = steps
        names = list(environment.possible_agents)
        if not names:
            raise InputError(f"{name}: has no agents; give its possible_agents")
        observed = [environment.observation_space(one) for one in names]
        acted = [environment.action_space(one) for one in names]
        for one, seen, taken in zip(names, observed, acted, strict=True):
            if seen != observed[0] or taken != acted[0]:
                raise InputError(
                    f"{name}: agents {names[0]} and {one} have different spaces, and cosim's share a network; "
                    "bring them to the same, as supersuit.pad_observations_v0 and pad_action_space_v0 do"
                )
        self._place = {one: number for number, one in enumerate(names)}
        self._logged = {one: "reward_" + re.sub(r"\W", "_", str(one)) for one in names}
        self._seen = SpaceColumns(name, observed[0])
        self.columns = self._seen.names
        """Names of the columns."""
        self.bounds = self._seen.low, self._seen.high
        """Bounds of the columns, infinite where there are none."""
        self.action_space = acted[0]
        """Actions of a row, as the environment takes them."""
        self.actions = SpaceActions.of(name, self.action_space)
        self.agents = len(names)
        self._live: list[Any] = []
        self._step = 0

    @property
    def nothing(self) -> EpisodeLog:
        """Reward of all agents together, steps, and the reward of each agent."""
        return {"reward": 0.0, "steps": 0, **dict.fromkeys(self._logged.values(), 0.0)}

    @property
    def live(self) -> Sequence[Any]:
        """Names of the agents that are to act, in the order of the rows."""
        return self._live

    @property
    def unwrapped(self) -> Any:
        """The environment behind its wrappers."""
        return getattr(self._environment, "unwrapped", self._environment)

    def reset(self, seed: int) -> SpaceRows:
        """Begin the episode of this seed and return its first rows."""
        self._step = 0
        with failing_in(self._name, f"reset(seed={seed})", self._environment):
            observations, infos = self._environment.reset(seed=seed)
            self._live = self._present()
            if not self._live:
                raise RunError("no agent is to act")
            return self._rows(self._live, observations, infos)

    def step(self, action: list[Any]) -> Outcome:
        """Carry out the actions of the agents that wait, one for each row."""
        acting, number = self._live, self._step
        self._step += 1
        with failing_in(self._name, f"step {number}", self._environment):
            given = dict(zip(acting, action, strict=True))
            observations, told, terminated, truncated, infos = self._environment.step(given)
            reward = np.array([float(told.get(one, 0.0)) for one in acting])
            if not np.isfinite(reward).all():
                raise RunError("a reward is not finite")
            self._live = self._present()
            cut = [one for one in acting if one not in self._live and truncated.get(one) and not terminated.get(one)]
            ended = cut if not self._live else []
            after = self._live or ended
            following = self._rows(after, observations, infos) if after else None
            beyond = self._rows(cut, observations, infos) if cut and not ended else None
        over = not self._live or self._step == self._steps
        if not over and not self._steps and self._step >= MOST_STEPS:
            raise endless(self._name)
        places = {one: row for row, one in enumerate([*after, *([] if ended else cut)])}
        return Outcome(
            float(reward.sum()),
            np.array([self._number(one, number) for one in acting]),
            reward,
            following,
            np.array([places.get(one, 0) for one in acting]),
            np.array([one not in places for one in acting]),
            over,
            {
                **self.nothing,
                "reward": float(reward.sum()),
                "steps": 1,
                **{self._logged[one]: float(mine) for one, mine in zip(acting, reward, strict=True)},
            },
            beyond,
        )

    def close(self) -> None:
        """Close the environment."""
        with failing_in(self._name, "close()", self._environment):
            self._environment.close()

    def _present(self) -> list[Any]:
        """Return the agents that are to act, in the order of the environment's possible agents."""
        return sorted(self._environment.agents, key=self._place.__getitem__)

    def _number(self, agent: Any, step: int) -> int:
        return step * self.agents + self._place[agent]

    def _rows(self, agents: Sequence[Any], observations: Mapping[Any, Any], infos: Mapping[Any, Any]) -> SpaceRows:
        seen = [observations[one] for one in agents]
        told = [
            one["action_mask"] if self._seen.masked else infos.get(agent, {}).get("action_mask")
            for agent, one in zip(agents, seen, strict=True)
        ]
        masks = [self.actions.mask(one) for one in told]
        everything = np.ones(self.actions.values, np.bool_)
        mask = np.stack([everything if one is None else one for one in masks])
        return SpaceRows(
            np.stack([self._seen.row(one) for one in seen]),
            np.array([self._number(one, self._step) for one in agents]),
            np.array([self._place[one] for one in agents]),
            None if mask.all() else mask,
            seen,
        )
