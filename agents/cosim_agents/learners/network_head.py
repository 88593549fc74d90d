"""The head that decides the knobs of the network as a whole once an epoch: detector efficiencies and the proposer.

The head is an ordinary learner of the catalogue on a problem of its own (`network_problem`). Its state is what the
scenario tells of the network: mean and spread of the rows' features, the number of rows, and
`cosim.envs.columns.network_columns`; a new column of the network joins there. Its reward is the team's.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import torch

from cosim.decision import Observation
from cosim.envs.columns import network_column_names, network_columns
from cosim.envs.knobs import Knobs
from cosim.errors import InputError
from cosim.types import AnyArray, BoolArray, IntArray
from cosim_agents.features import Features
from cosim_agents.learners.environment import RowEnvironment
from cosim_agents.learners.learner import Learner, LearningProblem, State
from cosim_agents.learners.scenario_rows import KnobActions
from cosim_agents.learners.transitions import Transitions, Turn

HeadForm: TypeAlias = Literal["joint", "branches", "table"]
"""How a head sees the network. joint: one row whose values are all knobs. branches: a row of discrete choices for each
knob, the state and which knob it is. table: likewise, but a row is the knob alone."""

_STATE: Final = "network/"
_REPLAY: Final = "replay/"


@dataclass(frozen=True, slots=True)
class NetworkRows:
    """The knobs of the network as rows, at one epoch."""

    observation: Observation
    features: AnyArray  # (n, F) float32

    @property
    def number(self) -> IntArray:
        """Number of each row."""
        return np.arange(len(self.features))


@dataclass(frozen=True, slots=True)
class NetworkActions:
    """The decoding of a head's numbers to the fields of an `Action` that set the network's knobs, by name."""

    knobs: Knobs
    form: HeadForm

    scores = 0

    @property
    def values(self) -> int:
        """One for each detector, then a score for each site."""
        return self.knobs.network_size

    @property
    def choices(self) -> int:
        """Levels of a detector, or sites, whichever are more."""
        return self.knobs.network_choices

    def of_values(self, values: AnyArray, rows: NetworkRows) -> dict[str, Any]:
        """Return the fields for the values of a joint row, (1, A)."""
        return self.knobs.network_of_values(values[0], rows.observation)

    def of_choices(self, choice: IntArray, rows: NetworkRows) -> dict[str, Any]:  # noqa: ARG002 - the hook's signature
        """Return the fields for the choices of all knobs, (K,)."""
        return self.knobs.network_of_choices(choice)

    def possible(self, rows: NetworkRows) -> BoolArray:
        """Return which choices each knob has, (K, choices)."""
        return self.knobs.network_mask(rows.observation)

    def agent(self, rows: NetworkRows) -> IntArray:
        """Return 0 for each row: one agent decides the network."""
        return np.zeros(len(rows.features), np.int64)

    def columns(self, features: int) -> tuple[str, ...]:
        """Return the names of a row's columns, where a task's row has so many features."""
        knobs = self.knobs
        if self.form == "table":
            return ("knob",)
        of_rows = [f"{name}{number}" for name in ("mean", "spread") for number in range(features)]
        which = [f"knob{number}" for number in range(knobs.network_knobs)] * (self.form == "branches")
        return (*of_rows, "rows", *network_column_names(knobs.links, knobs.validators), *which)

    def rows(self, features: AnyArray, observation: Observation) -> NetworkRows:
        """Return the network's rows at an epoch.

        Args:
            features: of the tasks' rows, (n, k).
            observation: of the epoch.

        Raises:
            InputError: the scenario has other links or sites than the knobs.
        """
        knobs = self.knobs
        count = knobs.network_knobs
        if self.form == "table":
            return NetworkRows(observation, np.linspace(0.0, 1.0, count, dtype=np.float32)[:, None])
        of_network = network_columns(observation, knobs.links > 0, knobs.validators > 0)
        if len(of_network) != len(network_column_names(knobs.links, knobs.validators)):
            raise InputError(_other_network(knobs, observation))
        size = np.log10([len(features)]) / 4.0
        state = np.concatenate([features.mean(axis=0), features.std(axis=0), size, of_network]).astype(np.float32)
        if self.form == "joint":
            return NetworkRows(observation, state[None])
        return NetworkRows(observation, np.hstack([np.tile(state, (count, 1)), np.eye(count, dtype=np.float32)]))


def network_knobs(task: LearningProblem) -> Knobs | None:
    """Return the knobs of a problem whose scenario hands over knobs of the network; None of any other problem."""
    actions = task.actions
    return actions.knobs if isinstance(actions, KnobActions) and actions.knobs.network_size else None


def network_problem(task: LearningProblem, actions: NetworkActions) -> LearningProblem:
    """Return what a head learns beside the rows' learner; its columns are made for networks and taken as they are."""
    columns = actions.columns(task.features.count)
    nothing, one = np.zeros(len(columns)), np.ones(len(columns))
    return LearningProblem(columns, actions, Features(nothing, one, np.eye(len(columns)), nothing, one), task.discount)


class ExpectedOptions:
    """A learner of rows without a knob of their own: each task goes where the least latency is expected."""

    def __init__(self, task: LearningProblem) -> None:
        self._task = task

    def playing(self) -> AbstractContextManager[None]:
        """See `Learner`; nothing is drawn."""
        return nullcontext()

    def begin(self, environment: RowEnvironment) -> None:
        """Do nothing: episodes do not differ."""

    def see(self, rows: Any) -> AnyArray:
        """Return the features of rows."""
        return self._task.see(rows)

    def explore(self, rows: Any, seen: AnyArray) -> tuple[AnyArray, Any]:
        """Return no values, (n, 0), and the action."""
        values = np.zeros((len(seen), 0), np.float32)
        return values, self._task.action(values, rows)

    def learn(self, turn: Turn) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""

    def decide(self, rows: Any) -> Any:
        """Return the action."""
        return self.explore(rows, rows.number)[1]

    def state(self) -> State:
        """Return nothing."""
        return {}

    def restore(self, state: State) -> None:
        """Do nothing."""

    def weights(self) -> Mapping[str, Iterable[AnyArray | torch.Tensor]]:
        """Return nothing."""
        return {}


@dataclass(slots=True)
class _Unsettled:
    """An epoch whose reward is not known yet: what the head saw and tried, and what followed."""

    seen: AnyArray
    values: AnyArray
    left: int
    """Tasks of the epoch whose own reward is not known."""
    reward: float = 0.0
    following: AnyArray | None = None
    terminal: bool = False


class WithNetworkHead:
    """A learner of rows with a head beside it that sets the network's knobs, once an epoch.

    An epoch earns the head the team's reward of its step, in which the tasks' own rewards are moved to the epochs that
    decided them: R_e = total_e + sum of r_i over the tasks decided in e - sum of r_i over those settled in e. For
    `analytic` rewards this is the step's total, told before the knobs have done anything: what they do then shows only
    in the states that follow. For `realised` rewards it is what the tasks decided in e take and spend in the end; a
    knob is credited with what it does to them, and with what it does to later ones as far as the next state tells.
    Epochs with tasks that have not ended when an episode is truncated are left out.

    Rewards are learned in `reward_unit` times the typical number of rows. Head and rows draw from streams of their own.
    `see` is called last for the rows that are explored next, as `cosim_agents.learners.rollout.turns` does.

    Args:
        rows: the learner of the tasks' rows.
        head: the learner of the network's, on `network_problem`.
        task: what the rows' learner learns.
        actions: those of the head.
    """

    def __init__(self, rows: Learner, head: Learner, task: LearningProblem, actions: NetworkActions) -> None:
        self._rows = rows
        self._head = head
        self._task = task
        self._actions = actions
        self._unit = task.reward_unit * task.rows
        self._unsettled: dict[int, _Unsettled] = {}
        self._epochs = 0
        self._network: NetworkRows
        self._seen: AnyArray

    def playing(self) -> AbstractContextManager[None]:
        """See `Learner`; the head's generator takes the place of the rows' while the head plays."""
        return self._rows.playing()

    def begin(self, environment: RowEnvironment) -> None:
        """Begin an episode with both."""
        self._unsettled, self._epochs = {}, 0
        self._rows.begin(environment)
        self._head.begin(environment)

    def see(self, rows: Any) -> AnyArray:
        """Return what the rows' learner keeps of rows, and note what the head sees."""
        seen = self._rows.see(rows)
        self._network = self._actions.rows(seen[:, : self._task.features.count], rows.observation)
        self._seen = self._head.see(self._network)
        return seen

    def explore(self, rows: Any, seen: AnyArray) -> tuple[AnyArray, Any]:
        """Return the rows' values, and the action of rows and head."""
        values, action = self._rows.explore(rows, seen)
        with self._head.playing():
            tried, turned = self._head.explore(self._network, self._seen)
        self._unsettled[self._epochs] = _Unsettled(self._seen, tried, len(seen))
        self._epochs += 1
        return values, replace(action, **turned)

    def learn(self, turn: Turn) -> None:
        """Let the rows' learner learn, then the head from the epochs that are complete."""
        self._rows.learn(turn)
        known, newest = turn.transitions, self._unsettled[self._epochs - 1]
        newest.reward += turn.total - float(known.reward.sum())
        newest.following = None if turn.following is None else self._seen
        newest.terminal = bool(turn.terminal.all())
        for number, reward in zip(known.epoch.tolist(), known.reward.tolist(), strict=True):
            epoch = self._unsettled[number]
            epoch.reward += reward
            epoch.left -= 1
        with self._head.playing():
            self._head.learn(self._turn(newest, turn.total))

    def end(self) -> None:
        """End the episode with both."""
        self._rows.end()
        with self._head.playing():
            self._head.end()

    def decide(self, rows: Any) -> Any:
        """Return the action of rows and head without exploration."""
        network = self._actions.rows(self._task.see(rows), rows.observation)
        return replace(self._rows.decide(rows), **self._head.decide(network))

    def state(self) -> State:
        """Return the states of both; names of the head's begin with `network/`."""
        of_head = {_of_head(name): value for name, value in self._head.state().items()}
        return {**self._rows.state(), **of_head, f"{_STATE}unit": self._unit}

    def restore(self, state: State) -> None:
        """Set all that `state` returns.

        Raises:
            ValueError: the state is of a learner without a head.
        """
        if f"{_STATE}unit" not in state:
            raise ValueError("it has no head for the network's knobs, detector or proposer, which older agents lack")
        self._unit = float(state[f"{_STATE}unit"])
        of_head = {name.replace(_STATE, "", 1): value for name, value in state.items() if _is_of_head(name)}
        self._head.restore(of_head)
        self._rows.restore({name: value for name, value in state.items() if not _is_of_head(name)})

    def weights(self) -> Mapping[str, Iterable[AnyArray | torch.Tensor]]:
        """Return the numbers of both, by the same settings."""
        rows, head = self._rows.weights(), self._head.weights()
        return {name: [*rows.get(name, ()), *head.get(name, ())] for name in {**rows, **head}}

    def _turn(self, newest: _Unsettled, total: float) -> Turn:
        rows = len(newest.seen)
        return Turn(
            self._complete(newest),
            newest.following,
            total / self._unit,
            np.arange(rows),
            np.full(rows, newest.terminal),
            newest.seen if newest.following is None else newest.following,
        )

    def _complete(self, newest: _Unsettled) -> Transitions:
        """Return the transitions of the epochs whose reward is known, and forget these.

        An epoch that is not terminal and of which it is not known what follows is left out, as by `turns`.
        """
        known = {number: epoch for number, epoch in self._unsettled.items() if not epoch.left}
        complete = [number for number, epoch in known.items() if epoch.terminal or epoch.following is not None]
        for number in [number for number in known if number not in complete]:
            del self._unsettled[number]
        epochs = [self._unsettled.pop(number) for number in complete]
        rows = len(newest.seen)
        following = [epoch.seen if epoch.following is None else epoch.following for epoch in epochs]
        return Transitions(
            np.concatenate([newest.seen[:0], *(epoch.seen for epoch in epochs)]),
            np.concatenate([newest.values[:0], *(epoch.values for epoch in epochs)]),
            np.repeat([epoch.reward / self._unit for epoch in epochs], rows),
            np.concatenate([newest.seen[:0], *following]),
            np.repeat([epoch.terminal for epoch in epochs], rows).astype(np.bool_),
            np.repeat(np.array(complete, np.int64), rows),
            np.tile(np.arange(rows), len(epochs)),
        )


def _of_head(name: str) -> str:
    """Return the name of a head's value in the common state; what only training needs still begins with `replay/`."""
    return f"{_REPLAY}{_STATE}{name.removeprefix(_REPLAY)}" if name.startswith(_REPLAY) else f"{_STATE}{name}"


def _is_of_head(name: str) -> bool:
    return name.removeprefix(_REPLAY).startswith(_STATE)


def _other_network(knobs: Knobs, observation: Observation) -> str:
    links = 0 if observation.keys is None else len(observation.keys.detector)
    sites = 0 if observation.stake is None else len(observation.stake)
    wanted = [f"{knobs.links} QKD links"] * (knobs.links > 0) + [f"{knobs.validators} sites"] * (knobs.validators > 0)
    return (
        f"the agent was trained to set a network of {' and '.join(wanted)}; this scenario has {links} QKD links and "
        f"{sites} sites with a ledger; train it on such a network"
    )
