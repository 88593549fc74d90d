"""Tasks that are released and not yet decided."""

from collections import deque

import numpy as np

from cosim.tasks.source import Releases, Task, as_tasks
from cosim.types import AnyArray, BoolArray, IntArray


class Waiting:
    """A queue in order of release, kept as columns: the tuples of the stories are made when they begin.

    It has a part for each interval of releases, so that an epoch which takes a whole one copies nothing.
    """

    def __init__(self) -> None:
        self._parts: deque[dict[str, AnyArray]] = deque()

    def __len__(self) -> int:
        """Tasks that wait, or will be released before the next tick."""
        return sum(len(part["task"]) for part in self._parts)

    def due(self, now_s: float) -> int:
        """Number of tasks released by now."""
        return sum(int(part["released_s"].searchsorted(now_s, side="right")) for part in self._parts)

    def add(self, releases: Releases) -> None:
        """Append the tasks of the coming interval."""
        self._parts.append(releases.stored())

    def take(self, count: int) -> dict[str, AnyArray]:
        """Remove the first `count` tasks."""
        taken: list[dict[str, AnyArray]] = []
        while count > 0:
            part = self._parts.popleft()
            here = len(part["task"])
            if here > count:
                self._parts.appendleft({name: values[count:] for name, values in part.items()})
                part = {name: values[:count] for name, values in part.items()}
            taken.append(part)
            count -= here
        if len(taken) == 1:
            return taken[0]
        return {name: np.concatenate([part[name] for part in taken] or [np.empty(0)]) for name in Task._fields}

    def drop(self, gone: IntArray) -> list[Task]:
        """Remove the tasks of vehicles that are gone."""
        dropped: list[Task] = []
        for place, part in enumerate(self._parts if len(gone) else ()):
            lost: BoolArray = np.isin(part["vehicle"], gone)
            if np.count_nonzero(lost):
                dropped += as_tasks({name: values[lost] for name, values in part.items()})
                self._parts[place] = {name: values[~lost] for name, values in part.items()}
        return dropped
