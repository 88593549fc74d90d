"""One picture of a run: the map with latency by place, and beside it its distribution, outcomes and utilisation."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cosim.mobility.ground import Ground
from cosim.quantity import ABSENT, quantity, with_interval
from cosim.report.drawn_map import ground_of
from cosim.report.picture.panels import draw_latency, draw_map, draw_outcomes, draw_utilisation
from cosim.report.picture.style import STYLE, save
from cosim.report.series import by_cell, by_position, deployed, hexagons, latency_curves, outcomes
from cosim.trace.metrics.tasks import Kpis, kpis
from cosim.trace.store.reader import Trace

PICTURE: Final = "run.png"
_MAP_IN: Final = 5.4  # width of the map
_CAPTION: Final = {
    "released": ("released", 0.0, ""),
    "completed_ratio": ("completed", 100.0, "%"),
    "late_ratio": ("late", 100.0, "%"),
    "coverage_ratio": ("covered", 100.0, "%"),
    "latency_mean": ("mean latency", 1e3, "ms"),
    "latency_p95": ("p95", 1e3, "ms"),
    "vehicle_energy_per_task": ("vehicle energy", 1.0, "J/task"),
    "handovers": ("handovers", 0.0, ""),
}
"""Name, factor and unit in the caption; a factor of 0 marks a count, which is shown without an interval."""
_STYLE: Final[dict[Any, Any]] = {
    **STYLE,
    "figure.constrained_layout.h_pad": 0.07,
    "figure.constrained_layout.hspace": 0.06,
    "font.size": 8,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
}


def draw_run(run: Path, folder: Path = Path()) -> Path:
    """Draw `run.png` in the run folder, 1650 pixels wide.

    Latency by place is a lattice of hexagons where the trace has positions (`trace.positions`), else a disc at each
    site for the tasks of the vehicles that it served. Tasks of the warm-up are left out, except over time.

    Args:
        run: folder of a complete or a partial run.
        folder: folder from which a run of an older version, which does not hold its map, finds it.

    Returns:
        The path of the picture.

    Raises:
        InputError: not a run folder, or the picture cannot be written.
    """
    with Trace.open(run) as trace, rc_context(_STYLE):
        figure = _figure(trace, folder)
    path = run / PICTURE
    save(figure, path)
    return path


def _figure(trace: Trace, folder: Path) -> Figure:
    scenario, measured = trace.scenario, kpis(trace)
    places = deployed(trace)
    area, _ = ground_of(trace, places[["x_m", "y_m"]].to_numpy(np.float64), folder)
    figure = Figure(figsize=(11.0, min(max(_MAP_IN / area.aspect + 2.3, 6.1), 7.4)))
    FigureCanvasAgg(figure)
    panels = figure.subplot_mosaic("ab;ac;ad", width_ratios=[1.2, 1])
    _place(panels["a"], trace, area, places)
    draw_latency(panels["b"], latency_curves(trace))
    draw_outcomes(panels["c"], outcomes(trace), scenario.statistics.warmup_s, trace.complete_to_s)
    use = {name.partition("/")[2]: value for name, value in measured.items() if name.startswith("utilisation/")}
    draw_utilisation(panels["d"], use)
    said = trace.provenance
    state = "" if trace.complete else f", partial run, complete to t = {trace.complete_to_s:g} s"
    figure.suptitle(f"{scenario.name}: {said.policy}, seed {said.seed}{state}", fontsize=12, fontweight="bold")
    figure.supxlabel(f"\n{_setting(trace, area.title, len(places))}\n{caption(measured)}", fontsize=8.5)
    return figure


def _place(axes: Axes, trace: Trace, area: Ground, places: pd.DataFrame) -> None:
    """Draw the map and its colours, with their scale right below it, whatever the height of the map."""
    xy_m, latency_s = by_position(trace)
    cell_m = area.cell_m(len(xy_m))
    if len(xy_m):
        coloured = draw_map(axes, area, places, hexagons(xy_m, latency_s, cell_m), cell_m)
        axes.set_title("Mean latency of finished tasks (ms), by place of release")
    else:
        coloured = draw_map(axes, area, places, by_cell(trace), None)
        axes.set_title("Mean latency of finished tasks (ms), by serving site")
    if coloured is not None:
        height_in = _MAP_IN / area.aspect
        scale = axes.inset_axes((0.1, -0.62 / height_in, 0.8, 0.1 / height_in))
        axes.figure.colorbar(coloured, cax=scale, orientation="horizontal", extend="both")


def _setting(trace: Trace, title: str, places: int) -> str:
    scenario = trace.scenario
    vehicles = trace.sql("SELECT avg(vehicles) AS mean FROM traffic_sampled")["mean"].fillna(0.0).iloc[0]
    band = quantity(scenario.radio.bandwidth_hz, "Hz")
    radio = f"{scenario.radio.path_loss.kind} {scenario.radio.access.kind} {band}"
    sites = "1 site" if places == 1 else f"{places} sites"
    return f"{title}   {trace.complete_to_s:g} s   {vehicles:,.0f} vehicles at once   {sites}   {radio}"


def caption(measured: Kpis) -> str:
    """Return the headline figures with half widths, in two lines."""
    lines = (
        ("released", "completed_ratio", "late_ratio", "coverage_ratio"),
        ("latency_mean", "latency_p95", "vehicle_energy_per_task", "handovers"),
    )
    return "\n".join("   ".join(_caption_of(measured, key) for key in line) for line in lines)


def _caption_of(measured: Kpis, key: str) -> str:
    name, factor, unit = _CAPTION[key]
    one = measured[key]
    if not factor:
        return f"{name} {with_interval(one.value).value}"
    value, half, shown = with_interval(one.value * factor, one.half_width * factor, unit)
    return f"{name} {value} {shown}" if half in (ABSENT, "0") else f"{name} {value} ± {half} {shown}"
