"""The data of a run that its page shows: identity, key figures, series over time, latency by place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from cosim.errors import InputError
from cosim.mobility.ground import Ground
from cosim.quantity import ABSENT, with_interval
from cosim.report.drawn_map import ground_of
from cosim.report.headline import headline
from cosim.report.series import LEVELS, Outcomes, by_cell, by_position, hexagons, latency_curves, outcomes
from cosim.subjects import pieces
from cosim.trace.facts.codes import code_names, code_tables, code_words
from cosim.trace.metrics.tasks import Kpis, kpis
from cosim.trace.store.reader import Trace
from cosim.types import AnyArray

_SERIES: Final = 120
"""Most slices of the hosts' series."""


def header(trace: Trace, area: Ground) -> dict[str, Any]:
    """Return what identifies a run, wherever its folder lies, and how far it went."""
    said, scenario = trace.provenance, trace.scenario
    return {
        "scenario": scenario.name,
        "description": " ".join(scenario.description.split()),
        "policy": said.policy,
        "seed": said.seed,
        "run_id": said.run_id,
        "digest": said.digest,
        "complete": trace.complete,
        "complete_to_s": trace.complete_to_s,
        "unfinished": trace.unfinished,
        "duration_s": scenario.duration_s,
        "warmup_s": scenario.statistics.warmup_s,
        "confidence": scenario.statistics.confidence,
        "step_s": scenario.mobility.step_s,
        "map": area.title,
        "classes": [task_class.name for task_class in scenario.tasks.classes],
        "version": said.versions.get("cosim", ""),
    }


def figures_of_merit(trace: Trace) -> dict[str, Any]:
    """Return all key figures as `cosim trace summary --json` gives them, and the headline figures as text."""
    measured = kpis(trace)
    every = {
        name: {"value": one.value, "half_width": one.half_width, "unit": one.unit} for name, one in measured.items()
    }
    return {"kpis": every, "headline": _headline(measured), "told": _figure_texts(measured)}


def _headline(measured: Kpis) -> list[dict[str, str]]:
    rows = []
    for key, label, factor, unit in headline():
        if key in measured and np.isfinite(measured[key].value):
            one = measured[key]
            value, half, shown = with_interval(one.value * factor, one.half_width * factor, unit)
            rows.append(
                {
                    "key": key,
                    "label": f"{label[0].upper()}{label[1:]}",
                    "value": value,
                    "half": _blank(half),
                    "unit": shown,
                }
            )
    return rows


def _figure_texts(measured: Kpis) -> dict[str, list[str]]:
    texts = {name: with_interval(one.value, one.half_width, one.unit) for name, one in measured.items()}
    return {name: [value, _blank(half), unit] for name, (value, half, unit) in texts.items()}


def _blank(half: str) -> str:
    return "" if half in (ABSENT, "0") else half


def series(trace: Trace, area: Ground) -> dict[str, Any]:
    """Return the series of the page; those of a subject under its name, None in a run without it."""
    over_time = outcomes(trace)
    found: dict[str, Any] = {
        "levels": LEVELS,
        "latency_s": {tier: {"tasks": tasks, "curve": curve} for tier, (tasks, curve) in latency_curves(trace).items()},
        "outcomes": {"begin_s": over_time.begin_s, "slice_s": over_time.slice_s, "per_s": over_time.per_s},
        "energy_w": _energy(trace, over_time),
        "traffic": _traffic(trace, over_time),
        "hosts": _hosts(trace),
        "latency_map": _latency_map(trace, area),
    }
    for subject, shown in pieces("series"):
        if subject.name in found:
            raise InputError(f"section {subject.name}: the page has a series of that name; rename the section")
        found[subject.name] = shown(trace, over_time) if subject.applies(trace.scenario) else None
    return found


def code_dictionary() -> dict[str, dict[int, list[str]]]:
    """Return name and word of every code that the trace stores, by table and code."""
    tables = code_tables()
    return {
        table: {code: [name, code_words(tables[table])[code]] for code, name in code_names(tables[table]).items()}
        for table in tables
    }


def _energy(trace: Trace, over_time: Outcomes) -> dict[str, AnyArray]:
    """Return the mean power of the tasks released in each slice [W]: radio, vehicle processors, edge and cloud."""
    rows = trace.sql(
        f"SELECT floor(released_s / {over_time.slice_s!r})::INTEGER AS slice, sum(transmit_j) AS radio, "
        "sum(vehicle_cpu_j) AS vehicle, sum(edge_cpu_j) AS host FROM task_ended GROUP BY slice"
    ).set_index("slice")
    filled = rows.reindex(np.arange(len(over_time.begin_s))).fillna(0.0)
    return {str(name): filled[name].to_numpy(np.float64) / over_time.slice_s for name in filled.columns}


def _traffic(trace: Trace, over_time: Outcomes) -> dict[str, AnyArray]:
    """Return for each slice handovers per second, the mean number of vehicles, and the share with a serving site."""
    slices = np.arange(len(over_time.begin_s))
    where = f"SELECT floor(time_s / {over_time.slice_s!r})::INTEGER AS slice"
    handovers = trace.sql(
        f"{where}, count(*) AS n FROM cell_changed WHERE from_site IS NOT NULL AND to_site IS NOT NULL GROUP BY slice"
    ).set_index("slice")
    vehicles = trace.sql(
        f"{where}, avg(vehicles) AS mean, sum(covered) / nullif(sum(vehicles), 0) AS covered "
        "FROM traffic_sampled GROUP BY slice"
    ).set_index("slice")
    return {
        "handovers_per_s": handovers.n.reindex(slices).fillna(0).to_numpy(np.float64) / over_time.slice_s,
        "vehicles": vehicles["mean"].reindex(slices).to_numpy(np.float64),
        "covered": vehicles.covered.reindex(slices).to_numpy(np.float64),
    }


def _hosts(trace: Trace) -> dict[str, Any]:
    """Return the mean number of tasks at each host between samples: the growth of its integral over the time.

    A sample at the start ends no span of time and is left out.
    """
    times = trace.sql("SELECT DISTINCT time_s FROM host_sampled WHERE time_s > 0 ORDER BY time_s").time_s
    every = max(1, -(-len(times) // _SERIES))
    chosen = times.iloc[every - 1 :: every].to_numpy(np.float64)
    table = trace.sql("SELECT site, time_s, number_s FROM host_sampled ORDER BY site, time_s")
    wide = table.pivot_table(index="site", columns="time_s", values="number_s")
    length_s = np.diff(chosen, prepend=0.0)
    return {
        "until_s": chosen,
        "site": [int(site) for site in wide.index],
        "number": [np.diff(row[chosen].to_numpy(np.float64), prepend=0.0) / length_s for _, row in wide.iterrows()],
    }


def _latency_map(trace: Trace, area: Ground) -> dict[str, Any]:
    xy_m, latency_s = by_position(trace)
    cell_m = area.cell_m(len(xy_m)) if len(xy_m) else None
    found = by_cell(trace) if cell_m is None else hexagons(xy_m, latency_s, cell_m)
    return {"cell_m": cell_m, "xy_m": found.xy_m.round(2), "latency_s": found.latency_s, "tasks": found.tasks}


def site_columns(trace: Trace) -> list[dict[str, Any]]:
    """Return the sites in order of their number; x_m and y_m are null for the cloud."""
    rows = trace.sql("SELECT site, name, x_m, y_m, cores FROM site_deployed ORDER BY site")
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict(orient="records")]


def frame(trace: Trace, folder: Path) -> tuple[Ground, str]:
    """Return the map under a run, with the nodes of its key network inside, and what of it is missing, or "".

    Args:
        trace: the run.
        folder: folder from which a run that does not hold its map finds it.
    """
    places = trace.sql(
        "SELECT x_m, y_m FROM site_deployed WHERE x_m IS NOT NULL UNION ALL SELECT x_m, y_m FROM key_node_deployed"
    )
    return ground_of(trace, places.to_numpy(np.float64), folder)


def json_value(value: Any) -> Any:
    """Return a value in types that JSON has: arrays become lists, numbers that are not finite become null."""
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return json_value(value.tolist())
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, np.generic):
        return json_value(value.item())
    return None if isinstance(value, float) and not np.isfinite(value) else value
