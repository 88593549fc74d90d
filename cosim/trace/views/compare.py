"""The comparison of two runs with the same arrivals, task by task: the effect of another policy, or another city.

Differences are B minus A of the same task, so that what the arrivals have in common cancels. Intervals are batch means
of the paired differences in order of release (`cosim.trace.metrics.statistics`), with warm-up, batches and confidence
of run A.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import numpy as np
import pandas as pd

from cosim.errors import InputError
from cosim.trace.metrics.statistics import Estimate, batch_means
from cosim.trace.realised import PAID_SQL
from cosim.trace.store.provenance import content_differs
from cosim.trace.store.reader import Trace
from cosim.types import NOWHERE, BoolArray, FloatArray, Status

_TASKS = (
    "SELECT task, released_s, status, time_s - released_s AS latency_s, "
    f"coalesce(uplink_site, {NOWHERE:d}) AS uplink_site, {PAID_SQL} AS vehicle_j, edge_cpu_j AS edge_j FROM task_ended"
)
_ARRIVALS = "SELECT * EXCLUDE (seq) FROM task_released ORDER BY task"


@dataclass(frozen=True, slots=True)
class Flip:
    """The number of tasks that ended with one status in A and with another in B."""

    before: str
    after: str
    tasks: int


@dataclass(frozen=True, slots=True)
class Place:
    """The tasks whose uplink in A ended in one cell."""

    site: str
    """Name of the cell's site; "-" for no uplink or no cell."""
    tasks: int
    """Number of tasks that have a result in both runs."""
    latency_s: float
    """Mean difference of latency, B minus A."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences between two runs, B minus A."""

    tasks: int
    """Number of tasks that have an end in both runs."""
    done: int
    """Number of these that have a result in both, in time or late."""
    latency: Estimate
    """Mean over the tasks with a result in both."""
    completed: Estimate
    """Difference of the shares of tasks completed in time."""
    vehicle_energy: Estimate
    """Mean per task."""
    edge_energy: Estimate
    flips: tuple[Flip, ...]
    places: tuple[Place, ...]
    """The cells, largest total difference first."""
    notes: tuple[str, ...] = ()
    """What somebody who reads the figures should know."""


def compare_runs(a: Trace, b: Trace) -> Comparison:
    """Compare two runs by pairing their tasks.

    Raises:
        InputError: their arrivals differ; the message names the first difference.
    """
    _same_arrivals(a, b)
    options = a.scenario.statistics
    from_s = max(options.warmup_s, _common_past_s(a, b))
    pairs = _measured(a, from_s).merge(_measured(b, from_s), on="task", suffixes=("_a", "_b"))
    pairs = pairs.sort_values("task")
    done = (_done(pairs.status_a) & _done(pairs.status_b)).to_numpy(np.bool_)
    in_time = [(pairs[name] == Status.COMPLETED).to_numpy(np.float64) for name in ("status_a", "status_b")]

    def mean(differences: FloatArray, unit: str) -> Estimate:
        return batch_means(differences, options.batches, options.confidence, unit)

    later_s = _minus(pairs, "latency_s")
    return Comparison(
        tasks=len(pairs),
        done=int(done.sum()),
        latency=mean(later_s[done], "s"),
        completed=mean(in_time[1] - in_time[0], ""),
        vehicle_energy=mean(_minus(pairs, "vehicle_j"), "J"),
        edge_energy=mean(_minus(pairs, "edge_j"), "J"),
        flips=tuple(_flips(pairs)),
        places=tuple(_places(a, pairs, later_s, done)),
        notes=tuple(_notes(a, b)),
    )


def _common_past_s(a: Trace, b: Trace) -> float:
    """Return the time up to which two runs are one, because one is a fork of the other or both are of a third; else 0.

    Tasks of that time have no difference, and would only hide that of the others.
    """
    of_a, of_b = a.provenance, b.provenance
    from_s = {of_a.run_id: inf}
    if of_a.parent:
        from_s[str(of_a.parent["run_id"])] = float(of_a.parent["at_s"])
    forks = {of_b.run_id: inf}
    if of_b.parent:
        forks[str(of_b.parent["run_id"])] = float(of_b.parent["at_s"])
    shared = [min(time_s, forks[name]) for name, time_s in from_s.items() if name in forks]
    return max((time_s for time_s in shared if time_s < inf), default=0.0)


def _measured(trace: Trace, warmup_s: float) -> pd.DataFrame:
    return trace.sql(f"{_TASKS} WHERE released_s >= {warmup_s!r}")


def _minus(pairs: pd.DataFrame, name: str) -> FloatArray:
    difference: FloatArray = pairs[f"{name}_b"].to_numpy(np.float64) - pairs[f"{name}_a"].to_numpy(np.float64)
    return difference


def _done(status: "pd.Series[int]") -> "pd.Series[bool]":
    return status.isin([int(Status.COMPLETED), int(Status.LATE)])


def _flips(pairs: pd.DataFrame) -> Iterator[Flip]:
    changed = (pairs.status_a != pairs.status_b).to_numpy(np.bool_)
    both = pairs[["status_a", "status_b"]].to_numpy(np.int64)[changed]
    for (before, after), count in zip(*np.unique(both, axis=0, return_counts=True), strict=True):
        yield Flip(Status(before).name.lower(), Status(after).name.lower(), int(count))


def _places(a: Trace, pairs: pd.DataFrame, later_s: FloatArray, done: BoolArray) -> list[Place]:
    deployed = a.sql("SELECT site, name FROM site_deployed")
    names = {NOWHERE: "-", **dict(zip(deployed.site.tolist(), deployed.name.tolist(), strict=True))}
    both = pd.DataFrame({"site": pairs.uplink_site_a.to_numpy()[done], "later_s": later_s[done]})
    by_site = both.groupby("site").later_s.agg(["size", "mean"])
    places = [
        Place(str(names.get(int(site), site)), int(size), float(mean))
        for site, size, mean in zip(by_site.index, by_site["size"], by_site["mean"], strict=True)
    ]
    return sorted(places, key=lambda place: -abs(place.latency_s * place.tasks))


def _notes(a: Trace, b: Trace) -> Iterator[str]:
    past_s = _common_past_s(a, b)
    if past_s:
        yield f"the runs are one up to t = {past_s:g} s, where one was forked: tasks released before are left out"
    other = content_differs(a.provenance.files, b.provenance.files)
    if other:
        yield f"the runs stood on other content of {other}: not only the policy differs"
    for name, trace in (("A", a), ("B", b)):
        if trace.unfinished:
            yield f"{name}: {trace.unfinished}"


def _same_arrivals(a: Trace, b: Trace) -> None:
    if a.manifest.digest_of("task_released") == b.manifest.digest_of("task_released"):
        return
    # Digests are enough to accept; rows are read only to name the first difference.
    raise InputError(
        f"{a.run} and {b.run}: their tasks differ ({_difference(a, b)}); compare runs of one map, demand and seed"
    )


def _difference(a: Trace, b: Trace) -> str:
    seeds = a.provenance.seed, b.provenance.seed
    if seeds[0] != seeds[1]:
        return f"seed {seeds[0]} and {seeds[1]}"
    if other := content_differs(a.provenance.files, b.provenance.files):
        return f"other content of {other}"
    released = [trace.sql(_ARRIVALS) for trace in (a, b)]
    shared = min(map(len, released))
    unequal = released[0].head(shared).ne(released[1].head(shared))
    rows = np.flatnonzero(unequal.any(axis=1).to_numpy(np.bool_))
    if len(rows) == 0:
        return f"{len(released[0])} tasks and {len(released[1])}"
    column = next(name for name in unequal.columns if unequal[name].iloc[rows[0]])
    values = [table[column].iloc[rows[0]] for table in released]
    return f"task {released[0].task.iloc[rows[0]]} has {column} {values[0]:.9g} and {values[1]:.9g}"
