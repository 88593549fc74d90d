"""The activity of the sites of a run over time: slices of tasks on tracks, and counters, for viewers of timelines.

A track is one activity of a site (uplink, downlink, wires, queue, host); those of vehicles are under `vehicles`. Slices
of a track that overlap are put on lanes: each goes to the lowest lane that is free, so that no two of one lane overlap.
A transfer is shown whole in the cell in which it ended; wires on the way back are left out. Times are whole
nanoseconds; a slice shorter than one is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

import numpy as np

from cosim.trace.store.reader import Trace
from cosim.types import AnyArray, FloatArray, IntArray, Status, Tier

_VEHICLES: Final = "vehicles"
_CLOSED: Final = "coalesce({}, time_s)"
_NS: Final = 1e9


@dataclass(frozen=True, slots=True)
class Track:
    """One activity of one owner, with its slices in order of begin, (n,) each."""

    owner: str
    """Name of the site, or `vehicles`."""
    name: str
    begin_ns: IntArray
    end_ns: IntArray
    lane: IntArray
    task: IntArray
    vehicle: IntArray
    status: IntArray

    @property
    def lanes(self) -> int:
        """The number of lanes: the most slices at one time."""
        return int(self.lane.max(initial=-1)) + 1


@dataclass(frozen=True, slots=True)
class Counter:
    """A number of one owner over time."""

    owner: str
    name: str
    time_ns: IntArray
    value: IntArray


def status_word(status: int) -> str:
    """Return the status of a task as a word in the arguments of a slice."""
    return Status(status).name.lower()


def tracks(trace: Trace) -> Iterator[Track]:
    """Yield all tracks that have slices; one is in memory at a time."""
    edge = f"tier IN ({Tier.EDGE:d}, {Tier.CLOUD:d})"
    for site, owner in site_names(trace).items():
        here = f"{edge} AND target = {site}"
        yield from _track(trace, owner, "uplink", "uplink_s", "uplinked_s", f"{edge} AND uplink_site = {site}")
        yield from _track(
            trace, owner, "wires in", "uplinked_s", "queued_s", f"{here} AND uplink_site IS DISTINCT FROM {site}"
        )
        yield from _track(trace, owner, "queue", "queued_s", "started_s", here)
        yield from _track(trace, owner, "host", "started_s", "executed_s", here)
        yield from _track(trace, owner, "downlink", "downlink_s", "time_s", f"{edge} AND downlink_site = {site}")
    own = f"tier IN ({Tier.LOCAL:d}, {Tier.NEIGHBOUR:d})"
    helped = f"tier = {Tier.NEIGHBOUR:d}"
    yield from _track(trace, _VEHICLES, "wait for decision", "released_s", "decided_s", "true")
    yield from _track(trace, _VEHICLES, "no cell", "uplink_s", "uplinked_s", f"{edge} AND uplink_site IS NULL")
    yield from _track(trace, _VEHICLES, "sidelink out", "uplink_s", "uplinked_s", helped)
    yield from _track(trace, _VEHICLES, "queue", "queued_s", "started_s", own)
    yield from _track(trace, _VEHICLES, "host", "started_s", "executed_s", own)
    yield from _track(trace, _VEHICLES, "sidelink back", "downlink_s", "time_s", helped)


def counters(trace: Trace) -> Iterator[Counter]:
    """Yield the tasks waiting and executing at each host and the transfers in each cell, at the sampling times."""
    for site, owner in site_names(trace).items():
        host = trace.sql(f"SELECT time_s, queued, running FROM host_sampled WHERE site = {site} ORDER BY time_s, seq")
        for column, name in (("queued", "queue length"), ("running", "executing")):
            yield from _counter(owner, name, host.time_s.to_numpy(np.float64), host[column].to_numpy())
        for direction, name in ((0, "uplinks"), (1, "downlinks")):
            cell = trace.sql(
                f"SELECT time_s, active FROM cell_sampled WHERE site = {site} AND direction = {direction} "
                "ORDER BY time_s, seq"
            )
            yield from _counter(owner, name, cell.time_s.to_numpy(np.float64), cell.active.to_numpy())


def site_names(trace: Trace) -> dict[int, str]:
    """Return the names of sites by number, in order; a name that is ambiguous gets the number of its site."""
    rows = trace.sql("SELECT site, name FROM site_deployed ORDER BY site")
    names = rows.name.tolist()
    return {
        int(site): name if names.count(name) == 1 and name != _VEHICLES else f"{name} ({site})"
        for site, name in zip(rows.site.tolist(), names, strict=True)
    }


def _counter(owner: str, name: str, time_s: FloatArray, value: AnyArray) -> Iterator[Counter]:
    if len(time_s):
        yield Counter(owner, name, _ns(time_s), value.astype(np.int64))


def _track(trace: Trace, owner: str, name: str, begin: str, end: str, where: str) -> Iterator[Track]:
    rows = trace.sql(
        f"SELECT {begin} AS begin_s, {_CLOSED.format(end)} AS end_s, task, vehicle, status FROM task_ended "
        f"WHERE {where} AND {begin} IS NOT NULL ORDER BY begin_s, task"
    )
    begin_ns, end_ns = _ns(rows.begin_s.to_numpy(np.float64)), _ns(rows.end_s.to_numpy(np.float64))
    there = end_ns > begin_ns
    if there.any():
        task, vehicle, status = (rows[column].to_numpy(np.int64)[there] for column in ("task", "vehicle", "status"))
        begin_ns, end_ns = begin_ns[there], end_ns[there]
        yield Track(owner, name, begin_ns, end_ns, _lanes(begin_ns, end_ns), task, vehicle, status)


def _ns(time_s: FloatArray) -> IntArray:
    return np.rint(time_s * _NS).astype(np.int64)


def _lanes(begin_ns: IntArray, end_ns: IntArray) -> IntArray:
    """Return the lane of each interval by greedy colouring in order of begin, which needs as few lanes as possible."""
    lanes: list[int] = []
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    opened = 0
    for begin, end in zip(begin_ns.tolist(), end_ns.tolist(), strict=True):
        while busy and busy[0][0] <= begin:  # slices that have ended give their lanes back
            heappush(free, heappop(busy)[1])
        if free:
            lane = heappop(free)
        else:
            lane, opened = opened, opened + 1
        heappush(busy, (end, lane))
        lanes.append(lane)
    return np.array(lanes, np.int64)
