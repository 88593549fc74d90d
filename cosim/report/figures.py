"""One picture of a run: the map with latency by place, and beside it when, how fast and with what load."""

import math
from pathlib import Path
from typing import Final

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cosim.errors import InputError
from cosim.report.gather import by_cell, by_position, latency_curves, outcomes, sites
from cosim.report.ground import ground
from cosim.report.panels import draw_latency, draw_map, draw_outcomes, draw_utilisation
from cosim.trace.metrics import Kpis, kpis
from cosim.trace.reader import Trace

PICTURE: Final = "run.png"
_LOOK: Final = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.linewidth": 0.7,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
}


def draw_run(run: Path, folder: Path = Path()) -> Path:
    """Draws `run.png` in the run folder, about 1650 x 1050 pixels.

    Latency by place is a lattice of hexagons where the trace has positions (`trace.positions`), else a disc at each
    site for the tasks of the vehicles that it served. Tasks of the warm-up are left out, except over time.

    Args:
        run: a run folder, of a complete or a partial run.
        folder: that the scenario's relative paths start from.

    Returns:
        The path of the picture.

    Raises:
        InputError: not a run folder, or the picture cannot be written.
    """
    with Trace.open(run) as trace, rc_context(_LOOK):
        figure = _figure(trace, folder)
    path = run / PICTURE
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise InputError(f"{path}: the picture cannot be written ({error.strerror}); make room") from error
    return path


def _figure(trace: Trace, folder: Path) -> Figure:
    scenario, measured = trace.scenario, kpis(trace)
    figure = Figure(figsize=(11, 7), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplot_mosaic("ab;ac;ad", width_ratios=[1.2, 1])
    places = sites(trace)
    area = ground(scenario, places, folder)
    tasks = by_position(trace, area.cell_m)
    without = not len(tasks.tasks)
    coloured = draw_map(panels["a"], area, places, by_cell(trace) if without else tasks, without)
    panels["a"].set_title("Mean latency by serving site" if without else "Mean latency by place of release")
    if coloured is not None:
        label = "mean latency of finished tasks (s)"
        figure.colorbar(coloured, ax=panels["a"], location="bottom", shrink=0.7, aspect=40, label=label, extend="both")
    draw_latency(panels["b"], latency_curves(trace))
    draw_outcomes(panels["c"], outcomes(trace), scenario.statistics.warmup_s, trace.complete_to_s)
    use = {name.partition("/")[2]: value for name, value in measured.items() if name.startswith("utilisation/")}
    draw_utilisation(panels["d"], use)
    said = trace.provenance
    state = "" if trace.complete else f", partial run, complete to t = {trace.complete_to_s:g} s"
    figure.suptitle(f"{scenario.name}: {said.policy}, seed {said.seed}{state}", fontsize=12, fontweight="bold")
    figure.supxlabel(caption(measured), fontsize=8.5)
    return figure


def caption(measured: Kpis) -> str:
    """The figures that a reader asks for first, with half widths, in two lines."""
    lines = (
        (("released", "released", 1.0, ""), ("completed", "completed_ratio", 100.0, " %"))
        + (("late", "late_ratio", 100.0, " %"), ("covered", "coverage_ratio", 100.0, " %")),
        (("mean latency", "latency_mean", 1e3, " ms"), ("p95", "latency_p95", 1e3, " ms"))
        + (("vehicle energy", "vehicle_energy_per_task", 1.0, " J/task"), ("handovers", "handovers", 1.0, "")),
    )
    return "\n".join("   ".join(_told(measured, *one) for one in line) for line in lines)


def _told(measured: Kpis, name: str, key: str, factor: float, unit: str) -> str:
    one = measured[key]
    value, half = one.value * factor, one.half_width * factor
    if not math.isfinite(value):
        return f"{name} -"
    if key in ("released", "handovers"):
        return f"{name} {value:,.0f}"
    around = f" ± {half:.2g}" if math.isfinite(half) else ""
    return f"{name} {value:.4g}{around}{unit}"
