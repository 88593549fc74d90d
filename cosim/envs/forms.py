"""The forms in which environments show tasks and take decisions: spaces of Gymnasium, and what lies in them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space
from numpy.typing import ArrayLike, NDArray

from cosim.decision import Action, Observation
from cosim.envs.columns import LIMIT
from cosim.envs.knobs import Knobs
from cosim.envs.loop import Loop, Round
from cosim.errors import InputError, RunError
from cosim.scenario.load import Loaded
from cosim.scenario.problems import closest
from cosim.scenario.schema import Scenario
from cosim.types import AnyArray, BoolArray, IntArray
from cosim.user_code import guarded

Layout: TypeAlias = Literal["flat", "dict"]
ActionKind: TypeAlias = Literal["box", "discrete", "multidiscrete"]
OwnColumns: TypeAlias = Callable[[Observation], ArrayLike]
"""A user's columns: an array (T, K) for an observation of T tasks."""
Shown: TypeAlias = NDArray[np.float32] | Mapping[str, AnyArray]
LAYOUTS: Final = ("flat", "dict")
ACTIONS: Final = ("box", "discrete", "multidiscrete")


class ShownRows:
    """What an agent sees: up to `rows` tasks with K columns each, of which absent rows are 0.

    flat: a vector of rows (K + 1), each row's columns and then 1 if it is present. dict: `rows` (rows, K), `present`
    (rows,) and `option_mask` (rows, M), which options may be chosen; of an absent row that is option 0 alone. With
    discrete actions it has the mask of the one row as `action_mask` (M,) as well, where PettingZoo looks for it.
    """

    def __init__(
        self,
        loop: Loop,
        loaded: Loaded,
        rows: int,
        observation: Sequence[str] | OwnColumns | None,
        layout: Layout,
        discrete: bool,
    ) -> None:
        """Make the space.

        Args:
            loop: the run that is shown.
            loaded: its scenario; it runs to the first epoch to see how many columns a user's function gives.
            rows: tasks at once.
            observation: names of the columns that are shown, in this order; or a function of a `cosim.Observation`;
                None: all columns of the loop.
            layout: flat or dict.
            discrete: whether actions are discrete.

        Raises:
            InputError: a column is unknown, or the function cannot be called.
        """
        self._rows = rows
        self._options = loop.knobs.options
        self._flat = layout == "flat"
        self._own: Callable[..., Any] | None = None
        self._chosen: list[int] | None = None
        bound = LIMIT
        if callable(observation):
            self._own, bound = guarded("observation=", observation), np.inf
            columns = _first_width(self._own, loaded, loop.live)
        elif observation is None:
            columns = len(loop.columns)
        else:
            self._chosen = _places(observation, loop.columns)
            columns = len(self._chosen)
        self._columns = columns
        self.none = np.zeros((0, columns), np.float32)
        """The columns of no task."""
        self._discrete = discrete
        self.space: Space[Any] = Box(-bound, bound, (rows * (columns + 1),), np.float32)
        if not self._flat:
            named: dict[str, Space[Any]] = {
                "rows": Box(-bound, bound, (rows, columns), np.float32),
                "present": MultiBinary(rows),
                "option_mask": MultiBinary((rows, self._options)),
            }
            self.space = Dict(named | ({"action_mask": MultiBinary(self._options)} if discrete else {}))

    def columns(self, round_: Round) -> NDArray[np.float32]:
        """Return the columns of a round's tasks, (n, K).

        Raises:
            RunError: a user's function fails, or gives anything else.
        """
        if self._own is None:
            return round_.features if self._chosen is None else round_.features[:, self._chosen]
        return _own_columns(self._own, round_.observation, self._columns)[round_.rows]

    def shown(
        self, agents: int, agent: IntArray, row: IntArray, columns: NDArray[np.float32], mask: BoolArray
    ) -> list[Any]:
        """Return what each agent sees.

        Args:
            agents: number of agents.
            agent: (n,) agent that decides each of n tasks.
            row: (n,) row of the task with that agent.
            columns: (n, K) columns of the tasks.
            mask: (n, M) whether each option may be chosen.
        """
        table = np.zeros((agents, self._rows, self._columns + 1), np.float32)
        table[agent, row, :-1] = columns
        table[agent, row, -1] = 1.0
        if self._flat:
            return list(table.reshape(agents, -1))
        may = self.masks(agents, agent, row, mask).astype(np.int8)
        present = table[:, :, -1].astype(np.int8)
        named = [
            {"rows": table[number, :, :-1].copy(), "present": present[number], "option_mask": may[number]}
            for number in range(agents)
        ]
        return [one | {"action_mask": one["option_mask"][0]} for one in named] if self._discrete else named

    def masks(self, agents: int, agent: IntArray, row: IntArray, mask: BoolArray) -> BoolArray:
        """Return which options each row may be given, (agents, rows, M); an absent row has option 0.

        Args:
            agents: number of agents.
            agent: (n,) agent that decides each of n tasks.
            row: (n,) row of the task with that agent.
            mask: (n, M) whether each option may be chosen.
        """
        may = np.zeros((agents, self._rows, self._options), np.bool_)
        may[:, :, 0] = True
        may[agent, row] = mask
        return may


class DecisionForm:
    """How an agent decides: a value for each knob of each row, or the option of each row as a whole number.

    box: rows A numbers in [-1, 1], the values of `cosim.envs.knobs` for each row; then those of the network-wide knobs.
    discrete: the option of the one row. multidiscrete: the option of each row. With both, knobs other than the target
    keep the scenario's own values: `kept` names those that it hands over. An option that may not be chosen is carried
    out, fails, and is charged as a lost task; a box never names one.
    """

    def __init__(self, kind: ActionKind, rows: int, knobs: Knobs, scenario: Scenario) -> None:
        """Check that the scenario's knobs can be turned so.

        Args:
            kind: box, discrete or multidiscrete.
            rows: tasks that an agent decides at once.
            knobs: what the scenario hands over.
            scenario: the scenario.

        Raises:
            InputError: nothing can be turned, or discrete is asked for with several rows.
        """
        self._kind = kind
        self._rows = rows
        self._knobs = knobs
        given = scenario.decisions.knobs
        self.width = len(knobs.names) if kind == "box" else 1
        """Numbers for each row."""
        self.network = knobs.network_size if kind == "box" else 0
        """Numbers for the network as a whole."""
        self.kept: tuple[str, ...] = () if kind == "box" else tuple(name for name in given if name != "target")
        """Knobs that the scenario hands over and that stay as they are."""
        if kind == "discrete" and rows != 1:
            raise InputError(
                f"actions='discrete' decides one task in a step, and rows={rows}; give rows=1, or 'multidiscrete'"
            )
        if kind != "box" and not knobs.targets:
            raise InputError(f"actions={kind!r} chooses targets, and decisions.knobs hands over none; add target to it")
        if not self.width + self.network:
            raise InputError(
                "decisions.knobs hands over nothing that this environment can turn; add target, share or power"
            )

    def space(self, network: bool) -> Space[Any]:
        """Return the space of an agent's actions; `network`: whether it turns the network-wide knobs."""
        if self._kind == "discrete":
            return Discrete(self._knobs.options)
        if self._kind == "multidiscrete":
            return MultiDiscrete([self._knobs.options] * self._rows)
        return Box(-1.0, 1.0, (self._rows * self.width + self.network * network,), np.float32)

    def split(self, action: object, space: Space[Any], whose: str = "action") -> tuple[AnyArray, AnyArray]:
        """Return the numbers of the rows, (rows, width), and those of the network.

        Args:
            action: what an agent gave.
            space: its space.
            whose: what it is, for the line of an error.

        Raises:
            InputError: it is missing, or has another shape.
        """
        numbers = np.asarray(action)
        if numbers.shape != space.shape or numbers.dtype.kind not in "iuf":
            raise InputError(f"{whose} has shape {numbers.shape}, needs {space.shape} numbers; give one of {space}")
        size = self._rows * self.width
        flat = numbers.reshape(-1)
        return flat[:size].reshape(self._rows, self.width), flat[size:]

    def mask(self, possible: BoolArray) -> AnyArray | tuple[AnyArray, ...]:
        """Return a mask of actions as the space's `sample` takes it; for a box, which takes none, that of the options.

        Args:
            possible: (rows, M) which options each row may be given.
        """
        if self._kind == "box":
            return possible
        rows = possible.astype(np.int8)
        return rows[0] if self._kind == "discrete" else tuple(rows)

    def decode(self, numbers: AnyArray, observation: Observation, network: AnyArray, rows: slice) -> Action:
        """Return the action for the numbers of n tasks.

        Args:
            numbers: (n, width).
            observation: T tasks.
            network: numbers of the network.
            rows: the n of T tasks.
        """
        if self._kind == "box":
            return self._knobs.decode(numbers, observation, network, rows)
        return Action(numbers[:, 0])


def _places(names: object, columns: tuple[str, ...]) -> list[int]:
    if isinstance(names, str) or not isinstance(names, Sequence) or not names:
        raise InputError(f"observation={names!r} is neither a list of columns, a function nor None; give one of them")
    for name in names:
        if name not in columns:
            raise InputError(f"observation={name!r} is no column of this scenario; {closest(str(name), columns)}")
    return [columns.index(name) for name in names]


def _first_width(own: Callable[..., Any], loaded: Loaded, live: bool) -> int:
    """Return how many columns a user's function gives for the first tasks of the scenario."""
    loop = Loop(loaded, traffic="live" if live else "replay")
    try:
        return int(_own_columns(own, loop.reset().observation).shape[1])
    finally:
        loop.close()


def _own_columns(own: Callable[..., Any], observation: Observation, width: int | None = None) -> NDArray[np.float32]:
    try:
        given = np.asarray(own(observation), np.float32)
    except (TypeError, ValueError) as error:
        raise RunError(f"observation= gave no array of numbers ({error}); return (T, K) for T tasks") from error
    wanted = (len(observation), given.shape[-1] if given.ndim == 2 and width is None else width)
    if given.ndim != 2 or given.shape != wanted or not np.isfinite(given).all():
        shape = f"({wanted[0]}, {'K' if wanted[1] is None else wanted[1]})"
        raise RunError(
            f"observation= gave shape {given.shape}, needs finite numbers of shape {shape}: a row for each task"
        )
    return given
