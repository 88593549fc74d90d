"""The causes of a run's late and lost tasks, ranked by number of tasks."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cosim.trace.lateness.cause import Cause
from cosim.trace.lateness.causes import DEADLINE, OWN, attribute_delay, causes
from cosim.trace.store.reader import Trace
from cosim.types import Status

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Ranked:
    """A cause with the tasks and the delay that are attributed to it."""

    cause: str
    tasks: int
    """Late or lost tasks of which it is the main cause."""
    delay_s: float
    """Its part of the time of all late and lost tasks; for `deadline` the time that they need by themselves."""
    delay_share: float
    """`delay_s` over the time of all late and lost tasks."""
    examples: tuple[int, ...]
    """Tasks of which it is the main cause, those with its largest parts first."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """The numbers of late and lost tasks of a run, and the causes in order."""

    late: int
    lost: int
    elapsed_s: float
    """Sum of their times from release to end."""
    causes: tuple[Ranked, ...]
    """Causes that occurred, by number of tasks, then by delay."""


def lateness(trace: Trace) -> Lateness:
    """Rank the causes of the late and lost tasks of a run (attribution: `cosim.trace.lateness.causes`).

    Raises:
        InputError: the run has no readable provenance.

    Example:
        >>> import cosim, tempfile
        >>> from pathlib import Path
        >>> folder = tempfile.TemporaryDirectory()
        >>> loaded = cosim.load("per_task", ["duration_s=2", "statistics.warmup_s=0"])
        >>> with Trace.open(cosim.simulate(loaded, Path(folder.name, "run")).folder) as trace:
        ...     found = lateness(trace)
        >>> found.late, found.lost, found.causes[0].cause, found.causes[0].tasks
        (0, 10, 'deadline', 6)
        >>> folder.cleanup()
    """
    explained = attribute_delay(trace)
    elapsed_s = float(explained.elapsed_s.sum())
    ranked = [_ranked(cause, explained, elapsed_s) for cause in causes()]
    happened = [one for one in ranked if one.tasks or one.delay_s > 0.0]
    late = int((explained.status == Status.LATE).sum())
    return Lateness(
        late,
        len(explained) - late,
        elapsed_s,
        tuple(sorted(happened, key=lambda one: (-one.tasks, -one.delay_s, one.cause))),
    )


def _ranked(cause: Cause, explained: pd.DataFrame, elapsed_s: float) -> Ranked:
    names = [cause.name] if cause.has_part else OWN if cause.name == DEADLINE else ()
    parts = [f"{name}_s" for name in names]
    part_s = explained[parts].to_numpy(np.float64).sum(axis=1)
    mine = np.flatnonzero((explained.cause == cause.name).to_numpy(np.bool_))
    worst = mine[np.argsort(-part_s[mine], kind="stable")[:EXAMPLES]]
    delay_s = float(part_s.sum())
    examples = tuple(int(task) for task in explained.index.to_numpy()[worst])
    return Ranked(cause.name, len(mine), delay_s, delay_s / elapsed_s if elapsed_s > 0.0 else 0.0, examples)
