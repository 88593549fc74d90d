"""A scenario as a Gymnasium environment: a single agent decides for all tasks that wait."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from cosim.decision import Action
from cosim.envs.columns import LIMIT
from cosim.envs.loop import Loop, Round, Step
from cosim.envs.seeds import SeededEpisodes
from cosim.errors import InputError
from cosim.scenario.load import load

Flat = NDArray[np.float32]


class OffloadingEnv(SeededEpisodes, gymnasium.Env[Flat, Flat]):
    """Rounds of up to `rows` tasks (paper S1's N), as flat vectors of fixed length.

    Observation (rows (F + 1),): for each row the columns of `cosim.envs.columns` and then `present`, 1 or 0; an absent
    row is 0. Action (rows A + network_size,) in [-1, 1]: the values of `cosim.envs.knobs` for each row, then those of
    the network; values for absent rows are ignored. Reward: `Step.total`, the sum over all tasks that settled.

    `truncated`: the episode has had `episode_epochs` epochs, or the scenario's duration is over; the last observation
    has the tasks that wait for a decision then, and is 0 if none do. `terminated`: the duration is over, no task waits,
    and none can come any more (`cosim.envs.loop.Loop`).

    reset(seed) gives the episode of that seed, and the resets without one that follow it give further episodes, the
    same ones after the same seed. Where no seed was ever given, episodes differ from those of any other environment,
    copies and other processes included (`cosim.envs.seeds`).

    info: `tasks` the numbers of the present rows' tasks, `action_mask` (rows, M) the options that may be chosen, and
    after a step `settled_task`, `settled_vehicle`, `settled_reward` (see `Step`) and `costs`, the fields of EpochCost.
    What has no fixed length is a list: Gymnasium's vector environments take arrays of one shape only.

        >>> import cosim
        >>> env = cosim.OffloadingEnv("per_task", ["duration_s=2", "statistics.warmup_s=0"], rows=2)
        >>> observation, info = env.reset(seed=1)
        >>> observation.shape, env.action_space.shape
        ((80,), (8,))
        >>> observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        >>> env.close()

    Args:
        scenario: file or bundled name.
        overrides: changes `key.path=value`.
        rows: tasks in a round; an epoch with more takes several steps.
        episode_epochs: decision epochs of an episode; None: the scenario's duration.
        traffic: `replay` SUMO's recorded traffic, or run SUMO `live`, as in `cosim.envs.loop.Loop`.

    Raises:
        InputError: the scenario cannot be used, or hands over no knob.

    Attributes:
        observation_space: Box of dimensionless columns, float32.
        action_space: Box of [-1, 1], float32.
        loop: the run behind the environment.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own shape of it

    def __init__(
        self,
        scenario: str | Path = "s1_semantic_iov",
        overrides: Sequence[str] = (),
        rows: int = 8,
        episode_epochs: int | None = None,
        traffic: Literal["replay", "live"] = "replay",
    ) -> None:
        loaded = load(scenario, overrides)
        self.loop = Loop(loaded, rows=rows, episode_epochs=episode_epochs, traffic=traffic)
        self.rows = rows
        self._width = len(self.loop.knobs.names)
        size = rows * self._width + self.loop.knobs.network_size
        if not size:
            raise InputError(
                "decisions.knobs hands over nothing that this environment can turn; add target, share or power"
            )
        self.observation_space = Box(-LIMIT, LIMIT, (rows * (len(self.loop.columns) + 1),), np.float32)
        self.action_space = Box(-1.0, 1.0, (size,), np.float32)
        self._round: Round | None = None
        self._playing = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Flat, dict[str, Any]]:
        """Begin an episode and return its first observation and info.

        Args:
            seed: seed of the episode; None: drawn.
            options: none are known.
        """
        del options
        self._round = self.loop.reset(self.next_seed(seed))
        self._playing = True
        return self._seen(), self._info()

    def step(self, action: Flat) -> tuple[Flat, float, bool, bool, dict[str, Any]]:
        """Decide for the waiting tasks; return observation, reward, terminated, truncated and info."""
        if self._round is None or not self._playing:
            raise RuntimeError("no episode runs; call reset()")
        done = self.loop.step(self._decoded(np.asarray(action), self._round))
        self._round, self._playing = done.following, not done.over
        return self._seen(), done.total, done.terminated, done.truncated, self._info(done)

    def close(self) -> None:
        """End the episode."""
        self.loop.close()

    def _decoded(self, action: Flat, waiting: Round) -> Action:
        tasks = self.rows * self._width
        values = action[:tasks].reshape(self.rows, self._width)[: len(waiting.features)]
        return self.loop.knobs.decode(values, waiting.observation, action[tasks:], waiting.rows)

    def _seen(self) -> Flat:
        seen = np.zeros((self.rows, len(self.loop.columns) + 1), np.float32)
        if self._round is not None:
            count = len(self._round.features)
            seen[:count, :-1] = self._round.features
            seen[:count, -1] = 1.0
        return seen.ravel()

    def _info(self, step: Step | None = None) -> dict[str, Any]:
        mask = np.zeros((self.rows, self.loop.knobs.options), np.bool_)
        mask[:, 0] = True
        tasks: list[int] = []
        if self._round is not None:
            mask[: len(self._round.mask)] = self._round.mask
            tasks = self._round.observation.task[self._round.rows].tolist()
        info: dict[str, Any] = {"action_mask": mask, "tasks": tasks}
        if step is not None:
            settled = ("settled_task", "settled_vehicle", "settled_reward")
            info |= {name: getattr(step, name).tolist() for name in settled}
            info["costs"] = {name: getattr(step.costs, name) for name in step.costs.__slots__}
        return info
