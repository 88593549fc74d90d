"""Tasks that are released and not yet decided."""

import numpy as np

from cosim.tasks import Releases, Task, as_tasks
from cosim.types import AnyArray, BoolArray, IntArray


class Waiting:
    """A queue in order of release, kept as columns: the tuples of the stories are made when they begin."""

    def __init__(self) -> None:
        self._columns: dict[str, AnyArray] = {name: np.empty(0) for name in Task._fields}

    def __len__(self) -> int:
        """Tasks that wait, or will be released before the next tick."""
        return len(self._columns["released_s"])

    def due(self, now_s: float) -> int:
        """Number of tasks released by now."""
        return int(np.searchsorted(self._columns["released_s"], now_s, side="right"))

    def add(self, releases: Releases) -> None:
        """Append the tasks of the coming interval."""
        fresh = releases.stored()
        if len(self):
            fresh = {name: np.concatenate([values, fresh[name]]) for name, values in self._columns.items()}
        self._columns = fresh

    def take(self, count: int) -> dict[str, AnyArray]:
        """Remove the first `count` tasks."""
        first = {name: values[:count] for name, values in self._columns.items()}
        self._columns = {name: values[count:] for name, values in self._columns.items()}
        return first

    def drop(self, gone: IntArray) -> list[Task]:
        """Remove the tasks of vehicles that are gone."""
        if len(gone) == 0 or not len(self):
            return []
        lost: BoolArray = np.isin(self._columns["vehicle"], gone)
        dropped = as_tasks({name: values[lost] for name, values in self._columns.items()})
        self._columns = {name: values[~lost] for name, values in self._columns.items()}
        return dropped
