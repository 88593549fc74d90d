"""A scenario as a Gymnasium environment: a single agent decides for all tasks that wait."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np

from cosim.envs.episodes import RENDER_MODES, OwnReward, ScenarioEpisodes, check_choice, check_counts, own_reward
from cosim.envs.forms import ACTIONS, LAYOUTS, ActionKind, DecisionForm, Layout, OwnColumns, Shown, ShownRows
from cosim.envs.loop import Loop, Round, Step
from cosim.scenario.load import Loaded, given_scenario
from cosim.scenario.schema import Scenario
from cosim.types import BoolArray, IntArray


class OffloadingEnv(ScenarioEpisodes, gymnasium.Env[Shown, Any]):
    """Rounds of up to `rows` tasks (paper S1's N) of fixed length; absent rows are 0.

    Observation (rows (F + 1),): for each row the columns of `cosim.envs.columns` and then `present`, 1 or 0. With
    `layout="dict"`: `rows` (rows, F), `present` (rows,) and `option_mask` (rows, M), the options that may be chosen.
    Columns may be chosen by name, or come from a function of the `cosim.Observation`.

    Action (rows A + network_size,) in [-1, 1]: the values of `cosim.envs.knobs` for each row, then those of the
    network. With `actions="multidiscrete"` the option of each row, with `"discrete"` and `rows=1` that of the one task:
    other knobs that the scenario hands over then keep its values and are named in `kept_knobs`. What is said for absent
    rows is ignored. A box never names an option that may not be chosen; a whole number that does is carried out, and
    charged as a lost task. `action_masks()` says which may be chosen, as sb3-contrib's MaskablePPO asks.

    Reward: `Step.total`, the sum over all tasks that settled; or what a function makes of the outcomes
    (`cosim.envs.reward.TaskOutcomes`) when an epoch is all decided, and 0 in its rounds before.

    `truncated`: the episode has had `episode_epochs` epochs, or the scenario's duration is over; the last observation
    has the tasks that wait for a decision then, and is 0 if none do. `terminated`: the duration is over, no task waits,
    and none can come any more (`cosim.envs.loop.Loop`).

    reset(seed) gives the episode of that seed, and the resets without one that follow it give further episodes, the
    same ones after the same seed. Where no seed was ever given, episodes differ from those of any other environment,
    copies and other processes included (`cosim.envs.episodes`).

    info: `tasks` the numbers of the present rows' tasks, `action_mask` the options that may be chosen, (rows, M), or as
    the `sample` of a discrete action space takes them, and after a step `settled_task`, `settled_vehicle`,
    `settled_reward` (see `Step`) and `costs`, the fields of EpochCost. What has no fixed length is a list: Gymnasium's
    vector environments take arrays of one shape only.

        >>> import cosim
        >>> env = cosim.OffloadingEnv("per_task", ["duration_s=2", "statistics.warmup_s=0"], rows=2)
        >>> observation, info = env.reset(seed=1)
        >>> observation.shape, env.action_space.shape
        ((80,), (8,))
        >>> observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        >>> env.close()

    Args:
        scenario: file, bundled name, mapping of a scenario's keys, `cosim.Scenario` or `cosim.Loaded`.
        overrides: changes `key.path=value`.
        rows: tasks in a round; an epoch with more takes several steps.
        episode_epochs: decision epochs of an episode; None: the scenario's duration.
        traffic: `replay` SUMO's recorded traffic, or run SUMO `live`, as in `cosim.envs.loop.Loop`.
        actions: "box", "discrete" or "multidiscrete".
        observation: names of columns, or a function of a `cosim.Observation` of T tasks that returns (T, K) finite
            numbers, which is called once here to learn K; None: all columns.
        layout: "flat", a vector, or "dict".
        reward: function of `TaskOutcomes` that returns a number; None: the scenario's reward.
        time_left: whether each row has the column `time_left`, the time until the scenario's duration is over.
        render_mode: "rgb_array": `render()` returns the map as pixels.

    Raises:
        InputError: the scenario cannot be used, hands over no knob, or an argument is none of those above.

    Attributes:
        observation_space: dimensionless columns, float32.
        action_space: of the kind that was asked for.
        loop: the run behind the environment.
        kept_knobs: knobs of `decisions.knobs` that the actions do not turn.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 1}  # noqa: RUF012 - Gymnasium's own shape of it

    def __init__(
        self,
        scenario: str | Path | Mapping[str, Any] | Scenario | Loaded = "s1_semantic_iov",
        overrides: Sequence[str] = (),
        rows: int = 8,
        episode_epochs: int | None = None,
        traffic: Literal["replay", "live"] = "replay",
        *,
        actions: ActionKind = "box",
        observation: Sequence[str] | OwnColumns | None = None,
        layout: Layout = "flat",
        reward: OwnReward | None = None,
        time_left: bool = False,
        render_mode: Literal["rgb_array"] | None = None,
    ) -> None:
        self._arguments = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        check_choice("actions", actions, ACTIONS)
        check_choice("layout", layout, LAYOUTS)
        check_choice("render_mode", render_mode, (*RENDER_MODES, None))
        check_counts(rows=rows)
        loaded = given_scenario(scenario, overrides)
        self._reward = own_reward(reward)
        self.loop = Loop(
            loaded,
            rows=rows,
            episode_epochs=episode_epochs,
            traffic=traffic,
            time_left=time_left,
            outcomes=reward is not None,
        )
        self.rows = rows
        self.render_mode = render_mode
        self._form = DecisionForm(actions, rows, self.loop.knobs, loaded.scenario)
        self.kept_knobs = self._form.kept
        self._seen = ShownRows(self.loop, loaded, rows, observation, layout, actions == "discrete")
        self.observation_space = self._seen.space
        self.action_space = self._form.space(network=True)
        self._round: Round | None = None
        self._playing = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Shown, dict[str, Any]]:
        """Begin an episode and return its first observation and info.

        Args:
            seed: seed of the episode; None: drawn.
            options: none are known.
        """
        del options
        self._round = self.loop.reset(self.next_seed(seed))
        self._playing = True
        return self._shown(), self._info()

    def step(self, action: Any) -> tuple[Shown, float, bool, bool, dict[str, Any]]:
        """Decide for the waiting tasks; return observation, reward, terminated, truncated and info.

        Raises:
            RuntimeError: the episode is over, or has not begun.
            InputError: the action is not of the space's shape.
            RunError: it holds NaN, or an option that there is not.
        """
        waiting = self._round
        if waiting is None or not self._playing:
            raise RuntimeError("no episode runs; call reset()")
        numbers, network = self._form.split(action, self.action_space)
        present = numbers[: len(waiting.mask)]
        done = self.loop.step(self._form.decode(present, waiting.observation, network, waiting.rows))
        self._round, self._playing = done.following, not done.over
        earned = done.total if self._reward is None else self._earned(done.outcomes)
        return self._shown(), earned, done.terminated, done.truncated, self._info(done)

    def action_masks(self) -> BoolArray:
        """Return whether each option may be chosen, (rows M,), row after row; of an absent row that is option 0."""
        return self._mask().ravel()

    def close(self) -> None:
        """End the episode."""
        self.loop.close()

    def _shown(self) -> Shown:
        columns = self._seen.none if self._round is None else self._seen.columns(self._round)
        shown: Shown = self._seen.shown(1, *_first_rows(len(columns)), columns, self._possible())[0]
        return shown

    def _possible(self) -> BoolArray:
        """Return which options the present rows may be given, (n, M)."""
        return np.zeros((0, self.loop.knobs.options), np.bool_) if self._round is None else self._round.mask

    def _mask(self) -> BoolArray:
        """Return which options all rows may be given, (rows, M)."""
        possible = self._possible()
        mask: BoolArray = self._seen.masks(1, *_first_rows(len(possible)), possible)[0]
        return mask

    def _info(self, step: Step | None = None) -> dict[str, Any]:
        tasks: list[int] = []
        if self._round is not None:
            tasks = self._round.observation.task[self._round.rows].tolist()
        info: dict[str, Any] = {"action_mask": self._form.mask(self._mask()), "tasks": tasks}
        if step is not None:
            settled = ("settled_task", "settled_vehicle", "settled_reward")
            info |= {name: getattr(step, name).tolist() for name in settled}
            info["costs"] = {name: getattr(step.costs, name) for name in step.costs.__slots__}
        return info


def _first_rows(count: int) -> tuple[IntArray, IntArray]:
    """Return agent and row of each present task: the only agent's first rows."""
    return np.zeros(count, np.int64), np.arange(count)
