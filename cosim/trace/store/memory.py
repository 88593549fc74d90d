"""Ends of tasks kept in memory while facts go their way: for rewards and roll-outs, which need no trace."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, NamedTuple, ParamSpec

import numpy as np

from cosim.trace.facts.run import TaskEnded
from cosim.trace.store.writer import FactWriter
from cosim.types import FloatArray

P = ParamSpec("P")


class Ended(NamedTuple):
    """What is kept of a TaskEnded fact."""

    time_s: float
    task: int
    vehicle: int
    status: int
    tier: int
    deadline_s: float
    decided_s: float
    """NaN: it ended before anybody decided."""
    transmit_j: float
    vehicle_cpu_j: float


def columns_of(ended: Sequence[Ended]) -> dict[str, FloatArray]:
    """By name, (N,) each."""
    table = np.array(ended, np.float64).reshape(-1, len(Ended._fields))
    return dict(zip(Ended._fields, table.T, strict=True))


_ENDED = tuple(field.name for field in fields(TaskEnded))
_KEPT = tuple(_ENDED.index(name) for name in Ended._fields)


class InMemoryTaskEnds:
    """A writer that passes facts on to another and keeps how tasks ended."""

    def __init__(self, facts: FactWriter) -> None:
        self._facts = facts
        self.records = facts.records
        self._ended: list[tuple[Any, ...]] = []

    def recorder(self, fact: Callable[P, Any]) -> Callable[P, None]:
        """See FactWriter."""
        record = self._facts.recorder(fact)
        if fact is not TaskEnded:
            return record
        keep = self._ended.append

        def both(*values: P.args, **named: P.kwargs) -> None:
            record(*values, **named)
            keep(values + tuple(named[name] for name in _ENDED[len(values) :]))

        return both

    def batch(self, fact: type[Any]) -> Callable[..., None]:
        """See FactWriter."""
        if fact is TaskEnded:
            raise TypeError("tasks end one by one; use recorder()")
        return self._facts.batch(fact)

    def tick(self, now_s: float) -> None:
        """See FactWriter."""
        self._facts.tick(now_s)

    def close(self, complete: bool, end_s: float | None = None) -> None:
        """See FactWriter."""
        self._facts.close(complete, end_s)

    def take(self) -> list[Ended]:
        """The tasks that have ended since the last call, in that order."""
        rows = [Ended(*(row[place] for place in _KEPT)) for row in self._ended]
        self._ended.clear()
        return rows
