"""The playback of a run as packed columns: positions of vehicles, the life of their tasks, and the load of hosts.

Positions are rounded to 0.1 m, times to 1 ms. `Kept` says what is left out of a long run.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from cosim.mobility.ground import Ground
from cosim.report.page.columns import Packed, differences, pack_columns
from cosim.roads.drawn import simplified
from cosim.trace.lateness.key_waits import key_waits
from cosim.trace.store.reader import Trace
from cosim.types import NOWHERE, BoolArray, IntArray, Status

UNIT_M: Final = 0.1
"""Positions are whole multiples of this."""
_MOST_PLACES: Final = 1_500_000
_MOST_TASKS: Final = 100_000  # of each half: completed in time, and all others
_MOST_SAMPLES: Final = 1_200
_LARGEST_STEP: Final = 16_383  # units between two places of a stretch, so that second differences fit into 16 bits
_ROAD_WITHIN_M: Final = 0.5
_STAGES: Final = ("decided_s", "uplink_s", "uplinked_s", "queued_s", "started_s", "executed_s", "downlink_s", "time_s")
"""Moments of a task's life in order; the page holds the time from each to the next."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The thinning of a long run: the page holds every n-th tick or task; 0 where there are none."""

    ticks: int
    completed: int
    others: int


def kept(trace: Trace) -> Kept:
    """Return the thinning with which the page stays small."""
    places = _count(trace, "vehicle_moved WHERE x_m IS NOT NULL")
    done = _count(trace, f"task_ended WHERE status = {Status.COMPLETED:d}")
    others = _count(trace, f"task_ended WHERE status <> {Status.COMPLETED:d}")
    return Kept(-(-places // _MOST_PLACES), -(-done // _MOST_TASKS), -(-others // _MOST_TASKS))


def places(trace: Trace, every: int) -> Packed:
    """Return the positions of vehicles as stretches of ticks without a gap.

    Columns: `vehicle`, `tick`, `length`, `x`, `y` of each stretch (its first place, in units of 0.1 m), and `dx`, `dy`
    of each place: second differences within the stretch, first place 0, second place the first difference.

    Args:
        trace: a run with positions.
        every: take the ticks that are multiples of it.
    """
    step_s = trace.scenario.mobility.step_s
    rows = trace.sql(
        f"SELECT vehicle, round(time_s / {step_s!r})::INTEGER AS tick, x_m, y_m FROM vehicle_moved "
        f"WHERE x_m IS NOT NULL AND round(time_s / {step_s!r})::INTEGER % {max(1, every)} = 0 ORDER BY vehicle, tick"
    )
    vehicle, tick = rows.vehicle.to_numpy(np.int64), rows.tick.to_numpy(np.int64) // max(1, every)
    units = [np.rint(rows[name].to_numpy(np.float64) / UNIT_M).astype(np.int64) for name in ("x_m", "y_m")]
    starts = np.ones(len(rows), dtype=np.bool_)
    starts[1:] = (np.diff(vehicle) != 0) | (np.diff(tick) != 1)
    for axis in units:  # a jump, as of a teleport, begins a new stretch
        starts[1:] |= np.abs(np.diff(axis)) > _LARGEST_STEP
    first = np.flatnonzero(starts)
    return pack_columns(
        {
            "vehicle": differences(vehicle[first], _only_first(len(first))),
            "tick": tick[first],
            "length": np.diff(np.append(first, len(rows))),
            "x": units[0][first],
            "y": units[1][first],
            "dx": _second_differences(units[0], starts),
            "dy": _second_differences(units[1], starts),
        }
    )


def _second_differences(units: IntArray, starts: BoolArray) -> IntArray:
    step = np.where(starts, 0, differences(units, starts))
    return np.where(starts, 0, differences(step, starts))


def stories(trace: Trace, keep: Kept) -> Packed:
    """Return the vehicles, their tasks and cells, and the samples of hosts.

    Columns, all by vehicle in order: `ids` (UTF-8, a line each), `type`, totals of tasks, `tasks` (how many are kept),
    `cells` (changes of cell); then kept tasks by vehicle and release (`up_key` and `down_key` only in a run with keys),
    changes of cell, and hosts by site and time.
    """
    vehicles = trace.sql("SELECT vehicle, vehicle_id, vehicle_type FROM vehicle_entered ORDER BY vehicle")
    count = int(vehicles.vehicle.max()) + 1 if len(vehicles) else 0
    named = vehicles.set_index("vehicle").reindex(range(count)).fillna("?")
    types = sorted(set(named.vehicle_type))
    ids, words = "\n".join(named.vehicle_id).encode(), "\n".join(types).encode()
    return pack_columns(
        {
            "ids": np.frombuffer(ids, np.int8),
            "types": np.frombuffer(words, np.int8),
            "type": named.vehicle_type.map({name: place for place, name in enumerate(types)}).to_numpy(np.int64),
            **_totals(trace, count),
            **_tasks(trace, keep, count),
            **_cells(trace, count),
            **_hosts(trace),
        }
    )


def _totals(trace: Trace, count: int) -> dict[str, IntArray]:
    rows = trace.sql(
        f"SELECT vehicle, count(*) FILTER (status = {Status.COMPLETED:d}) AS all_completed, "
        f"count(*) FILTER (status = {Status.LATE:d}) AS all_late, "
        f"count(*) FILTER (status = {Status.IN_FLIGHT:d}) AS all_in_flight, count(*) AS all_tasks "
        "FROM task_ended GROUP BY vehicle"
    ).set_index("vehicle")
    return {str(name): _by_vehicle(rows[name], count) for name in rows.columns}


def _tasks(trace: Trace, keep: Kept, count: int) -> dict[str, IntArray]:
    rows = trace.sql(
        f"SELECT e.*, r.task_class FROM task_ended e JOIN task_released r USING (task) WHERE CASE "
        f"WHEN status = {Status.COMPLETED:d} THEN task % {max(1, keep.completed)} ELSE task % {max(1, keep.others)} "
        "END = 0 ORDER BY e.vehicle, released_s, task"
    )
    starts = _changes(rows.vehicle)
    moments = (rows[list(_STAGES)].to_numpy(np.float64) - rows.released_s.to_numpy(np.float64)[:, None]) * 1e3
    filled = pd.DataFrame(moments).ffill(axis=1).fillna(0.0).to_numpy(np.float64)  # what did not happen took no time
    lasted = np.diff(np.rint(filled).astype(np.int64), axis=1, prepend=0)
    plain = ("status", "phase", "tier", "target", "uplink_site", "downlink_site", "handovers", "task_class")
    return {
        "tasks": _by_vehicle(rows.groupby("vehicle").size(), count),
        "task": differences(rows.task.to_numpy(), starts),
        "released_ms": differences(_ms(rows.released_s), starts),
        "deadline_ms": _ms(rows.deadline_s - rows.released_s),
        **{name: rows[name].fillna(NOWHERE).to_numpy(np.int64) for name in plain},
        **{f"{name.removesuffix('_s')}_ms": lasted[:, place] for place, name in enumerate(_STAGES)},
        **(_keyed(trace, rows.task.to_numpy(np.int64)) if trace.scenario.keys else {}),
    }


def _keyed(trace: Trace, task: IntArray) -> dict[str, IntArray]:
    """Return the waits for the keys of uplinks and downlinks [ms]; each is the end of the stage before its transfer."""
    order = np.argsort(task)
    found = {}
    for name, wait_s in zip(("up_key", "down_key"), key_waits(trace, task[order]), strict=True):
        found[name] = np.zeros(len(task), dtype=np.int64)
        found[name][order] = np.rint(wait_s * 1e3)
    return found


def _cells(trace: Trace, count: int) -> dict[str, IntArray]:
    rows = trace.sql("SELECT time_s, vehicle, to_site FROM cell_changed ORDER BY vehicle, time_s, seq")
    return {
        "cells": _by_vehicle(rows.groupby("vehicle").size(), count),
        "cell_ms": differences(_ms(rows.time_s), _changes(rows.vehicle)),
        "cell_site": rows.to_site.fillna(NOWHERE).to_numpy(np.int64),
    }


def _hosts(trace: Trace) -> dict[str, IntArray]:
    times = trace.sql("SELECT DISTINCT time_s FROM host_sampled ORDER BY time_s").time_s
    every = max(1, -(-len(times) // _MOST_SAMPLES))
    chosen = times.iloc[every - 1 :: every]
    rows = trace.sql("SELECT * FROM host_sampled ORDER BY site, time_s")
    rows = rows[rows.time_s.isin(chosen)]
    starts = _changes(rows.site)
    totals = {"busy_ms": _ms(rows.busy_core_s), "served": rows.served, "rejected": rows.rejected}
    return {
        "host": rows.site[starts].to_numpy(np.int64),
        "sample_ms": _ms(chosen),
        "queued": rows.queued.to_numpy(np.int64),
        "running": rows.running.to_numpy(np.int64),
        **{name: differences(np.asarray(values), starts) for name, values in totals.items()},
    }


def roads(area: Ground) -> Packed:
    """Return the roads as lines, simplified within 0.5 m.

    Columns: the `length` of each line, and `dx`, `dy` of its corners in units of 0.1 m.
    """
    lines = [simplified(road_m, _ROAD_WITHIN_M) for road_m in area.roads_m]
    corners = np.rint(np.concatenate([*lines, np.zeros((0, 2))]) / UNIT_M).astype(np.int64)
    starts = _only_first(len(corners))  # a line starts where the last one ended, or near to it
    return pack_columns(
        {
            "length": np.array([len(line) for line in lines], dtype=np.int64),
            "dx": differences(corners[:, 0], starts),
            "dy": differences(corners[:, 1], starts),
        }
    )


def _ms(times_s: "pd.Series[float]") -> IntArray:
    whole: IntArray = np.rint(times_s.to_numpy(np.float64) * 1e3).astype(np.int64)
    return whole


def _changes(column: "pd.Series[int]") -> BoolArray:
    values = column.to_numpy(np.int64)
    before = np.concatenate([values[:1] - 1, values[:-1]])
    changed: BoolArray = values != before
    return changed


def _only_first(count: int) -> BoolArray:
    first: BoolArray = np.arange(count) == 0
    return first


def _by_vehicle(values: "pd.Series[int]", count: int) -> IntArray:
    return np.asarray(values.reindex(range(count)).fillna(0), dtype=np.int64)


def _count(trace: Trace, source: str) -> int:
    return int(trace.sql(f"SELECT count(*) AS n FROM {source}").n.iloc[0])
