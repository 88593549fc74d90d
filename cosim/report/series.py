"""The data behind picture and page of a run: latency by place, its distribution, and series over time.

Time is cut into slices; the functions at the end say which slice a fact belongs to.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from cosim.trace.store.reader import Trace
from cosim.types import FloatArray, Status, Tier

LEVELS: Final = np.linspace(0.0, 1.0, 401)
"""Levels of the quantiles that make a distribution's curve."""
_BINS_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 3600.0)
_MOST_BINS: Final = 60
_ENOUGH: Final = 10
_DONE: Final = f"status IN ({Status.COMPLETED:d}, {Status.LATE:d})"


@dataclass(frozen=True, slots=True)
class Places:
    """Mean latency by place; the place of a task is that of its vehicle at the last tick before its release."""

    xy_m: FloatArray  # (P, 2)
    latency_s: FloatArray  # (P,)
    tasks: FloatArray  # (P,)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Tasks per second by outcome and time of release, in slices of equal length."""

    begin_s: FloatArray  # (B,)
    slice_s: float
    per_s: dict[str, FloatArray]  # (B,) each: completed, late, lost, in flight


def by_position(trace: Trace) -> tuple[FloatArray, FloatArray]:
    """Return position, (N, 2), and latency, (N,), of finished tasks; empty without recorded positions."""
    step_s = trace.scenario.mobility.step_s
    tasks = trace.sql(
        "SELECT x_m, y_m, e.time_s - released_s AS latency_s FROM task_ended e JOIN vehicle_moved m "
        f"ON e.vehicle = m.vehicle AND floor(released_s / {step_s!r} + 1e-9) = round(m.time_s / {step_s!r}) "
        f"WHERE {_DONE} AND {_measured(trace)} AND x_m IS NOT NULL ORDER BY task"
    )
    return tasks[["x_m", "y_m"]].to_numpy(np.float64), tasks.latency_s.to_numpy(np.float64)


def hexagons(xy_m: FloatArray, latency_s: FloatArray, cell_m: tuple[float, float]) -> Places:
    """Return mean latencies on a hexagonal lattice.

    The centres of the hexagons are the corners and the centres of a lattice of rectangles; each point belongs to the
    nearest. A place with fewer than 10 tasks, and fewer than a tenth of what a place has on average, is left out as
    chance.

    Args:
        xy_m: points, (N, 2).
        latency_s: their values, (N,).
        cell_m: width and height of the rectangles; for regular hexagons the height is sqrt(3) widths.
    """
    # In units of the width the height is sqrt(3): hence the weights 1 and 3 of the squares.
    corner = np.round(xy_m / cell_m)
    centre = np.floor(xy_m / cell_m) + 0.5
    distance = [((xy_m / cell_m - point) ** 2) @ (1.0, 3.0) for point in (corner, centre)]
    places = np.where((distance[0] <= distance[1])[:, None], corner, centre)
    place, index, tasks = np.unique(places, axis=0, return_inverse=True, return_counts=True)
    total_s = np.bincount(index.ravel(), weights=latency_s, minlength=len(place))
    enough = tasks >= min(_ENOUGH, len(xy_m) / max(1, len(place)) / 10.0)
    return Places(place[enough] * cell_m, (total_s / tasks)[enough], tasks[enough].astype(np.float64))


def by_cell(trace: Trace) -> Places:
    """Return the mean latency of finished tasks by the site that served their vehicle at release, without positions."""
    cells = trace.sql(  # in order, so that the last digit of a mean does not depend on how DuckDB joins
        "SELECT s.x_m, s.y_m, avg(t.latency_s ORDER BY task) AS latency_s, count(*) AS tasks FROM ("
        f"SELECT task, vehicle, released_s, time_s - released_s AS latency_s FROM task_ended WHERE {_DONE} "
        f"AND {_measured(trace)}) t ASOF JOIN cell_changed c ON t.vehicle = c.vehicle AND t.released_s >= c.time_s "
        "JOIN site_deployed s ON s.site = c.to_site GROUP BY ALL ORDER BY ALL"
    ).astype(np.float64)
    return Places(cells[["x_m", "y_m"]].to_numpy(), cells.latency_s.to_numpy(), cells.tasks.to_numpy())


def deployed(trace: Trace) -> pd.DataFrame:
    """Return name, x_m and y_m of the sites on the map."""
    return trace.sql("SELECT name, x_m, y_m FROM site_deployed WHERE x_m IS NOT NULL ORDER BY site")


def latency_curves(trace: Trace) -> dict[str, tuple[int, FloatArray]]:
    """Return the distribution of latency by tier, that of all finished tasks first.

    Returns:
        By tier or `all`: the number of finished tasks, and their latency [s] at each of `LEVELS`.
    """
    levels = ", ".join(f"{level:.6g}" for level in LEVELS)
    rows = trace.sql(
        f"SELECT coalesce(tier, -1) AS tier, count(*) AS n, quantile_cont(time_s - released_s, [{levels}]) AS curve "
        f"FROM task_ended WHERE {_DONE} AND {_measured(trace)} GROUP BY GROUPING SETS ((tier), ()) ORDER BY tier"
    )
    return {
        "all" if tier < 0 else Tier(tier).name.lower(): (int(n), np.asarray(curve, np.float64))
        for tier, n, curve in rows.itertuples(index=False, name=None)
        if n
    }


def outcomes(trace: Trace) -> Outcomes:
    """Return the outcomes of the tasks of the whole run, the warm-up included, by time of release."""
    end_s = max(trace.complete_to_s, 1.0)
    slice_s = next((length for length in _BINS_S if end_s / length <= _MOST_BINS), end_s / _MOST_BINS)
    groups = {
        "completed": f"status = {Status.COMPLETED:d}",
        "late": f"status = {Status.LATE:d}",
        "lost": f"status NOT IN ({Status.COMPLETED:d}, {Status.LATE:d}, {Status.IN_FLIGHT:d})",
        "in flight": f"status = {Status.IN_FLIGHT:d}",
    }
    counts = ", ".join(f'count(*) FILTER ({test}) AS "{name}"' for name, test in groups.items())
    rows = trace.sql(
        f"SELECT floor(released_s / {slice_s!r})::INTEGER AS slice, {counts} FROM task_ended GROUP BY slice"
    ).set_index("slice")
    slices: FloatArray = np.arange(np.ceil(end_s / slice_s), dtype=np.float64)
    filled = rows.reindex(slices).fillna(0.0)
    length_s = np.minimum(slice_s, end_s - slices * slice_s)
    return Outcomes(slices * slice_s, slice_s, {name: filled[name].to_numpy(np.float64) / length_s for name in groups})


def slice_from(time_s: str, over_time: Outcomes) -> str:
    """Return SQL for the slice in which something happened; the end of the run belongs to the last."""
    return f"least(floor({time_s} / {over_time.slice_s!r}), {len(over_time.begin_s) - 1})::INTEGER"


def slice_until(over_time: Outcomes) -> str:
    """Return SQL for the slice that a sample closes; the begin of the run belongs to the first."""
    return f"greatest(ceil(time_s / {over_time.slice_s!r} - 1e-9) - 1, 0)::INTEGER"


def by_slice(rows: pd.DataFrame, over_time: Outcomes) -> dict[str, FloatArray]:
    """Return the columns of a table indexed by slice as arrays over all slices, NaN for a slice without a row."""
    filled = rows.reindex(np.arange(len(over_time.begin_s)))
    return {str(name): filled[name].to_numpy(np.float64) for name in rows.columns}


def counts(column: "pd.Series[int]", over_time: Outcomes) -> FloatArray:
    """Return a column of counts indexed by slice as an array over all slices, 0 for a slice without a row."""
    return np.asarray(column.reindex(np.arange(len(over_time.begin_s))).fillna(0), dtype=np.float64)


def _measured(trace: Trace) -> str:
    return f"released_s >= {trace.scenario.statistics.warmup_s!r}"
