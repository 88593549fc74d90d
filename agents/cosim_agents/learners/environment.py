"""The interface between learners and environments: rows that wait for a decision out, an answer for all of them in.

A scenario (`cosim_agents.learners.scenario_rows`) is one such environment; its rows are tasks. One step decides all
rows that wait, however many, so that one pass through a network serves a whole decision epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from cosim.types import AnyArray, BoolArray, FloatArray, IntArray

EpisodeLog: TypeAlias = Mapping[str, float]
"""Sums over one episode by name, a row of the learning curve; `reward` is the team's, as the environment defines it."""


class Rows(Protocol):
    """The rows that wait for a decision now, n of them."""

    @property
    def features(self) -> AnyArray:
        """Columns of each row, (n, F) float32."""
        ...

    @property
    def number(self) -> IntArray:
        """Number of each row, (n,), by which its reward is told; no two rows of an episode have the same."""
        ...


class RowActions(Protocol):
    """The decoding of a learner's numbers to what an environment carries out."""

    @property
    def values(self) -> int:
        """A, the numbers in [-1, 1] that a continuous learner gives for each row."""
        ...

    @property
    def scores(self) -> int:
        """How many of them, from the first, are scores of which only the highest counts; 0 if none."""
        ...

    @property
    def choices(self) -> int:
        """C, the discrete choices of a row; 0 if it has none."""
        ...

    def of_values(self, values: AnyArray, rows: Any) -> Any:
        """Return the action for values, (n, A)."""
        ...

    def of_choices(self, choice: IntArray, rows: Any) -> Any:
        """Return the action for discrete choices, (n,)."""
        ...

    def possible(self, rows: Any) -> BoolArray:
        """Return which discrete choices each row may take, (n, C); at least one."""
        ...

    def agent(self, rows: Any) -> IntArray:
        """Return the number of the agent that decides each row, (n,), where several agents learn."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a step."""

    total: float
    """Reward of the team in this step."""
    settled: IntArray  # (k,)
    """Numbers of the rows whose reward became known by it, of this step or of earlier ones."""
    reward: FloatArray  # (k,)
    """Their rewards."""
    following: Rows | None
    """The rows that wait next, after a truncated episode too; None where nothing follows, or nothing is known of it."""
    successor: IntArray  # (n,)
    """The row of `following` that stands for what follows each decided row."""
    terminal: BoolArray  # (n,)
    """Whether nothing follows a decided row, so that no value of a next state counts."""
    over: bool
    """Whether the episode is over."""
    log: EpisodeLog
    """What this step adds to the episode's sums."""


class RowEnvironment(Protocol):
    """An environment whose steps decide rows."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the F columns of a row."""
        ...

    @property
    def actions(self) -> RowActions:
        """The decoding of what is decided."""
        ...

    @property
    def agents(self) -> int:
        """Number of agents among which the rows are divided."""
        ...

    @property
    def nothing(self) -> EpisodeLog:
        """The sums of an episode before its first step."""
        ...

    def reset(self, seed: int) -> Rows:
        """Begin the episode of this seed and return its first rows."""
        ...

    def step(self, action: Any) -> Outcome:
        """Carry out an action for the rows that wait."""
        ...

    def close(self) -> None:
        """End the episode and free what it holds."""
        ...
