"""A cause of lateness: its words, the status of the losses that it explains, and the time that it claims."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cosim.trace.store.reader import Trace
from cosim.types import FloatArray, IntArray, Status

Claim: TypeAlias = Callable[[Trace, IntArray, Mapping[str, FloatArray]], Mapping[str, FloatArray]]
"""A claim on the time of steps: (trace, tasks, facts) -> seconds by step, (T,) each.

The facts are those that `cosim.trace.lateness.causes` reads of the tasks, by column.
"""


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason for which tasks are late or lost."""

    name: str
    sentence: str
    """What the task did, as the continuation of "because"; shown as the reason."""
    has_part: bool = True
    """Whether a part of a task's time is attributed to it."""
    status: Status | None = None
    """Status of the losses that have this cause, whatever else took time; None: no status implies it."""
    claim: Claim | None = None
    """What it takes of the time between two steps; None: it gets what is left of its own step."""
    after: str = ""
    """Name of the cause that precedes it in the order; of two equal parts the first one's cause wins."""
