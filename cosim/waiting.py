"""Tasks that are released and not yet decided."""

import numpy as np

from cosim.tasks import Releases, Task, as_tasks
from cosim.types import AnyArray, BoolArray, IntArray


class Waiting:
    """A queue in order of release, kept as tuples for the stories and as columns for the policies."""

    def __init__(self) -> None:
        self._tasks: list[Task] = []
        self._columns: dict[str, AnyArray] = {name: np.empty(0) for name in Task._fields}
        self._taken = 0

    def __len__(self) -> int:
        """Tasks that wait, or will be released before the next tick."""
        return len(self._tasks) - self._taken

    def due(self, now_s: float) -> int:
        """Number of tasks released by now."""
        return int(np.searchsorted(self._columns["released_s"], now_s, side="right")) - self._taken

    def add(self, releases: Releases) -> None:
        """Append the tasks of the coming interval."""
        fresh = releases.stored()
        tasks = as_tasks(fresh)
        if len(self):
            rest = self._taken
            self._tasks = self._tasks[rest:] + tasks
            self._columns = {name: np.concatenate([self._columns[name][rest:], fresh[name]]) for name in Task._fields}
        else:
            self._tasks = tasks
            self._columns = fresh
        self._taken = 0

    def take(self, count: int) -> tuple[list[Task], dict[str, AnyArray]]:
        """Remove the first `count` tasks."""
        part = slice(self._taken, self._taken + count)
        self._taken += count
        return self._tasks[part], {name: values[part] for name, values in self._columns.items()}

    def drop(self, gone: IntArray) -> list[Task]:
        """Remove the tasks of vehicles that are gone."""
        if len(gone) == 0 or not len(self):
            return []
        lost: BoolArray = np.isin(self._columns["vehicle"], gone)
        lost[: self._taken] = False
        if not lost.any():
            return []
        dropped = [self._tasks[place] for place in np.flatnonzero(lost).tolist()]
        kept = ~lost
        kept[: self._taken] = False
        self._tasks = [self._tasks[place] for place in np.flatnonzero(kept).tolist()]
        self._columns = {name: values[kept] for name, values in self._columns.items()}
        self._taken = 0
        return dropped
