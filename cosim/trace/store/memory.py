"""Ends of tasks kept in memory beside the trace: for rewards and roll-outs, which need no stored run."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, NamedTuple, ParamSpec

import numpy as np

from cosim.trace.facts.run import TaskEnded
from cosim.trace.store.writer import FactWriter
from cosim.types import FloatArray

P = ParamSpec("P")


class Ended(NamedTuple):
    """The columns of a TaskEnded fact that are kept."""

    time_s: float
    task: int
    vehicle: int
    status: int
    tier: int
    deadline_s: float
    decided_s: float
    """Time of the decision; NaN if the task ended before it."""
    transmit_j: float
    vehicle_cpu_j: float


def columns_of(ended: Sequence[Ended]) -> dict[str, FloatArray]:
    """Return the ends of tasks as columns by name, (N,) each."""
    table = np.array(ended, np.float64).reshape(-1, len(Ended._fields))
    return dict(zip(Ended._fields, table.T, strict=True))


_ENDED = tuple(field.name for field in fields(TaskEnded))
_KEPT = tuple(_ENDED.index(name) for name in Ended._fields)


class InMemoryTaskEnds:
    """A writer that passes facts on to another writer and keeps the ends of tasks."""

    def __init__(self, facts: FactWriter) -> None:
        self._facts = facts
        self.records = facts.records
        self._ended: list[tuple[Any, ...]] = []

    def recorder(self, fact: Callable[P, Any]) -> Callable[P, None]:
        """Return a function that records one fact with the other writer, and keeps it if it is the end of a task."""
        record = self._facts.recorder(fact)
        if fact is not TaskEnded:
            return record
        keep = self._ended.append

        def both(*values: P.args, **named: P.kwargs) -> None:
            record(*values, **named)
            keep(values + tuple(named[name] for name in _ENDED[len(values) :]))

        return both

    def batch(self, fact: type[Any]) -> Callable[..., None]:
        """Return the function of the other writer that records many facts; ends of tasks are recorded one by one."""
        if fact is TaskEnded:
            raise TypeError("tasks end one by one; use recorder()")
        return self._facts.batch(fact)

    def tick(self, now_s: float) -> None:
        """Pass the tick on to the other writer."""
        self._facts.tick(now_s)

    def close(self, complete: bool, end_s: float | None = None) -> None:
        """Close the other writer."""
        self._facts.close(complete, end_s)

    def take(self) -> list[Ended]:
        """Return the tasks that have ended since the last call, in that order."""
        rows = [Ended(*(row[place] for place in _KEPT)) for row in self._ended]
        self._ended.clear()
        return rows
