"""Small environments of Gymnasium and PettingZoo with known optima, and some that misbehave."""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

STEPS = 10


class Signals(ParallelEnv[str, Any, int]):
    """Two agents, each of which sees a sign and its role: the first earns 1 by following the sign, the other by not.

    An episode has 10 steps, so the optimum is 20, chance 10, and a policy that is blind to the role 10.

    Args:
        leaver: step after which the second agent is terminated; 0 for none.
        cut: whether it is truncated then instead.
        continuous: whether an action is a number, whose sign counts.
        masked: whether the wrong action is masked in the info.
        unequal: whether the second agent has other observations.
    """

    metadata: ClassVar[dict[str, Any]] = {"name": "signals_v0"}

    def __init__(
        self,
        leaver: int = 0,
        cut: bool = False,
        continuous: bool = False,
        masked: bool = False,
        unequal: bool = False,
    ) -> None:
        self.possible_agents = ["a", "b"]
        self.agents: list[str] = []
        self._leaver, self._cut, self._continuous = leaver, cut, continuous
        self._masked, self._unequal = masked, unequal
        self._rng = np.random.default_rng()
        self._step = 0

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Sign and role."""
        wide = 3 if self._unequal and agent == "b" else 2
        return spaces.Box(-1.0, 1.0, (wide,), np.float32)

    def action_space(self, agent: str) -> spaces.Space[Any]:  # noqa: ARG002 - the same for both
        """Follow 1, or not 0."""
        return spaces.Box(-1.0, 1.0, (1,), np.float32) if self._continuous else spaces.Discrete(2)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:  # noqa: ARG002
        """Begin the episode of a seed."""
        self._rng = np.random.default_rng(seed)
        self.agents, self._step = list(self.possible_agents), 0
        self._draw()
        return self._seen(self.agents), self._infos(self.agents)

    def _draw(self) -> None:
        self._sign = {agent: int(self._rng.integers(2)) for agent in self.possible_agents}

    def _seen(self, agents: list[str]) -> dict[str, Any]:
        return {agent: np.array([2 * self._sign[agent] - 1, 1 if agent == "b" else -1], np.float32) for agent in agents}

    def _right(self, agent: str) -> int:
        return self._sign[agent] if agent == "a" else 1 - self._sign[agent]

    def _infos(self, agents: list[str]) -> dict[str, Any]:
        if not self._masked:
            return {agent: {} for agent in agents}
        return {agent: {"action_mask": np.arange(2) == self._right(agent)} for agent in agents}

    def step(self, actions: dict[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
        """Reward what was right for the signs shown, and draw the next."""
        acting = self.agents
        assert set(actions) == set(acting)
        taken = {agent: int(action[0] > 0) if self._continuous else int(action) for agent, action in actions.items()}
        reward = {agent: float(taken[agent] == self._right(agent)) for agent in acting}
        self._step += 1
        self._draw()
        over = self._step == STEPS
        leaves = {agent: agent == "b" and self._step == self._leaver for agent in acting}
        ended = {agent: leaves[agent] and not self._cut for agent in acting}
        cut = {agent: over or (leaves[agent] and self._cut) for agent in acting}
        self.agents = [agent for agent in acting if not (ended[agent] or cut[agent])]
        return self._seen(acting), reward, ended, cut, self._infos(acting)


class Turns(ParallelEnv[str, Any, int]):
    """What makes environments of the other kind of PettingZoo's."""

    possible_agents: ClassVar[list[str]] = ["a"]

    def agent_iter(self) -> None:
        """Of AEC environments only."""


class Walk(gymnasium.Env[Any, Any]):
    """A number that each step adds the action to, and the reward is minus its size: the optimum is 0 from the start.

    Args:
        kind: how actions look: discrete, masked, methods, parts, binary, box, whole, endless or dict.
        ends: step after which it terminates; 0: never, it is truncated after 10.
        fails: step in which it breaks.
        observed: what it shows then, instead of breaking.
        rewarded: what it gives then.
        seeded: whether an episode is that of its seed.
    """

    def __init__(
        self,
        kind: str = "discrete",
        ends: int = 0,
        fails: int = -1,
        observed: float | None = None,
        rewarded: float | None = None,
        seeded: bool = True,
    ) -> None:
        box = spaces.Box(-10.0, 10.0, (2,), np.float32)
        self.observation_space: spaces.Space[Any] = (
            spaces.Dict({"place": box, "parity": spaces.Discrete(2)}) if kind == "dict" else box
        )
        self.action_space: spaces.Space[Any] = {
            "parts": spaces.MultiDiscrete([3, 2]),
            "binary": spaces.MultiBinary(2),
            "box": spaces.Box(-2.0, 2.0, (1,), np.float32),
            "whole": spaces.Box(-2, 2, (1,), np.int64),
            "unbounded": spaces.Box(-np.inf, np.inf, (1,), np.float32),
            "text": spaces.Text(3),
            "many": spaces.MultiDiscrete([10] * 20),
        }.get(kind, spaces.Discrete(3, start=-1))
        self._kind, self._ends, self._fails = kind, ends, fails
        self._observed, self._rewarded, self._seeded = observed, rewarded, seeded
        self.taken: list[Any] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:  # noqa: ARG002
        """Begin somewhere from -3 to 3."""
        super().reset(seed=seed if self._seeded else None)
        self._place, self._step = float(self.np_random.integers(-3, 4)), 0
        return self._seen(), self._info()

    def _seen(self) -> Any:
        place = np.array([self._place, self._step / 10], np.float32)
        if self._kind == "dict":
            return {"place": place, "parity": int(self._place) % 2}
        return place

    def _allowed(self) -> np.ndarray:
        """Away from the origin is forbidden."""
        return np.array([self._place > 0, True, self._place < 0])

    def _info(self) -> dict[str, Any]:
        return {"action_mask": self._allowed().astype(np.int8)} if self._kind == "masked" else {}

    def action_masks(self) -> np.ndarray:
        """As sb3-contrib asks for them."""
        return self._allowed() if self._kind == "methods" else np.ones(self._values(), np.bool_)

    def _values(self) -> int:
        return {"parts": 5, "binary": 4, "many": 200}.get(self._kind, 3)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Move by the action."""
        assert self.action_space.contains(action), (action, self.action_space)
        self.taken.append(action)
        breaks, self._step = self._step == self._fails, self._step + 1
        if self._kind in ("masked", "methods"):
            assert self._allowed()[int(action) + 1], "a forbidden action"
        if breaks and self._observed is None and self._rewarded is None:
            raise ArithmeticError("the floor\nis wet")
        step = float(np.sum(action)) - (1.5 if self._kind == "parts" else 1.0 if self._kind == "binary" else 0.0)
        self._place = float(np.clip(self._place + step, -9.0, 9.0))
        seen, reward = self._seen(), -abs(self._place)
        if breaks and self._observed is not None:
            seen[0] = self._observed
        if breaks and self._rewarded is not None:
            reward = self._rewarded
        return seen, reward, self._step == self._ends, self._step >= STEPS and self._kind != "endless", self._info()


class Best:
    """The optimal policy of `Signals`."""

    def decide(self, observation: dict[str, np.ndarray]) -> dict[str, int]:
        """Follow where the role is -1, else not."""
        return {agent: int(seen[0] * seen[1] < 0) for agent, seen in observation.items()}


class Homeward:
    """The optimal policy of `Walk`."""

    def decide(self, observation: np.ndarray) -> int:
        """Return a step towards 0."""
        return int(-np.sign(observation[0]))


class Lost:
    """A policy whose actions are none."""

    def decide(self, observation: np.ndarray) -> int:  # noqa: ARG002
        """Return no action."""
        return 7


def rolling(sides: int = 6) -> int:
    """Something that is no environment."""
    return sides
