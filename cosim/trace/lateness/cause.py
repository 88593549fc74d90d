"""What a cause of lateness is: its words, the losses whose status says it, and the time that it claims."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cosim.trace.store.reader import Trace
from cosim.types import FloatArray, IntArray, Status

Claim: TypeAlias = Callable[[Trace, IntArray, Mapping[str, FloatArray]], Mapping[str, FloatArray]]
"""(trace, tasks, their facts as `cosim.trace.lateness.causes` reads them) -> seconds of steps, by step, (T,) each."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why tasks were late or lost."""

    name: str
    sentence: str
    """After the task's name and "because"."""
    has_part: bool = True
    """A part of a task's time belongs to it."""
    status: Status | None = None
    """A loss that ends with it has this cause, whatever else took time."""
    claim: Claim | None = None
    """What it takes of the time between two steps; None: it has what is left of steps of its own."""
    after: str = ""
    """Cause behind which a claiming one stands: the one before wins where two are equal."""
