"""Pictures of sweeps for any paper: lines with their bands, a panel for each setting."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from cosim.experiments.figures import GRIDDED
from cosim.experiments.papers.lines import Line, LineScores, Sweep, estimate
from cosim.experiments.papers.paper import Size
from cosim.report.picture.style import save

STYLE: Final[dict[Any, Any]] = {
    **GRIDDED,
    "axes.titleweight": "normal",
    "grid.color": "0.92",
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
}
"""Settings of Matplotlib for a paper's pictures."""
_FLAT: Final = 4.0
"""Highest over lowest of what a linear axis still shows."""


@dataclass(frozen=True, slots=True)
class SweepPicture:
    """The texts of a picture of a sweep, and the style of its lines."""

    paper: str
    title: str
    quantity: str
    """One of `lines.QUANTITIES`."""
    factor: float
    """Factor from the unit of the quantity to that of the axis."""
    y_label: str
    told: str
    """How the results were made, without a full stop."""
    styles: Mapping[str, Mapping[str, Any]]
    """Matplotlib's properties of each line, by its name."""
    panels: Mapping[str, str]
    """Titles of panels by name; a panel without one is titled by its name."""
    variants: tuple[str, str] = ("solid", "dashed")
    """Line styles of the first and the second variant; dashed ones have hollow markers."""
    markers: Mapping[str, str] = field(default_factory=dict)
    """Markers of lines with variants whose style has none, by name; the others get a triangle."""


def draw_sweep(path: Path, picture: SweepPicture, sweep: Sweep, measured: Mapping[str, LineScores], size: Size) -> None:
    """Draw a quantity over a sweep's parameter, a panel for each setting.

    Args:
        path: the picture to write.
        picture: its texts and styles.
        sweep: the sweep, whose points are along the axis.
        measured: scores by key of the line.
        size: full or quick; a quick picture says so across.

    Raises:
        InputError: it cannot be written.
    """
    lines = [one.line for one in measured.values()]
    names = list(dict.fromkeys(line.panel for line in lines if line.panel)) or [""]
    variants = list(dict.fromkeys(line.variant for line in lines))
    with rc_context(STYLE):
        columns = min(2, len(names))
        rows = -(-len(names) // columns)
        canvas = make_canvas(columns, rows)
        panels = canvas.subplots(rows, columns, sharey=len(names) <= 2, squeeze=False).ravel()
        for axes, panel in zip(panels, names, strict=False):
            for one in measured.values():
                if one.line.panel in (panel, ""):
                    _draw_line(axes, picture, sweep, one, variants.index(one.line.variant))
            axes.set(title=picture.panels.get(panel, panel), xlabel=sweep.x_label)
            _scale(axes)
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        for row in range(rows):
            panels[row * columns].set_ylabel(picture.y_label)
        finish(canvas, panels, picture.paper, picture.title, picture.told, size, path)


def _draw_line(axes: Axes, picture: SweepPicture, sweep: Sweep, one: LineScores, turn: int) -> None:
    """Draw a line with its band."""
    scores = picture.factor * one.scores[picture.quantity]
    told = [estimate(scores[:, place]) for place in range(len(sweep.points))]
    style = dict(picture.styles.get(one.line.name, {"color": "black"}))
    if one.line.variant:
        style["linestyle"] = picture.variants[turn]
        marker = style.get("marker", picture.markers.get(one.line.name, "v"))
        face = style["color"] if style["linestyle"] == "solid" else "white"
        style |= {"marker": marker, "markerfacecolor": face}
    low, high = [value.low for value in told], [value.high for value in told]
    axes.fill_between(sweep.points, low, high, color=style["color"], alpha=0.15, lw=0)
    axes.plot(sweep.points, [value.value for value in told], label=_label(one.line), **style)


def _scale(axes: Axes) -> None:
    """Make the axis logarithmic where one line would press the others together."""
    heights = np.concatenate([np.asarray(line.get_ydata(), np.float64) for line in axes.get_lines()])
    if heights.max() > _FLAT * heights.min() > 0.0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())


def _label(line: Line) -> str:
    return f"{line.name}, {line.variant}" if line.variant else line.name


def make_canvas(columns: int, rows: int) -> Figure:
    """Return an empty figure with room for so many panels and the legend."""
    figure = Figure(figsize=(3.9 * columns + 1.9, 3.1 * rows + 0.9))
    FigureCanvasAgg(figure)
    return figure


def finish(figure: Figure, panels: Iterable[Axes], paper: str, title: str, told: str, size: Size, path: Path) -> None:
    """Write a picture with its legend at the right, its title above and how it was made below.

    Args:
        figure: figure from `make_canvas`.
        panels: panels whose lines the legend names.
        paper: name of the paper.
        title: title of the picture.
        told: how the results were made, without a full stop.
        size: size of the run; one that is not full says so across the picture.
        path: the picture to write.

    Raises:
        InputError: it cannot be written.
    """
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(handles.values(), handles.keys(), loc="outside right center", fontsize=8)
    quick = "" if size.run == "full" else f"{size.run}: "
    figure.suptitle(f"{quick}{title}", fontsize=10.5, fontweight="bold", x=0.01, ha="left")
    seeds = f"{size.seeds} seed{'s' * (size.seeds > 1)}"
    bands = " with 95 % bootstrap bands" if size.seeds > 1 else ""
    first = f"Paper {paper}. Interquartile mean over {seeds}{bands}. "
    letters = int(14.5 * figure.get_figwidth())
    figure.supxlabel("\n".join(wrap(f"{first}{told}.", letters)), fontsize=7.5, x=0.01, ha="left")
    if quick:
        figure.text(0.42, 0.5, size.run, fontsize=70, color="0.5", alpha=0.25, ha="center", va="center", rotation=20)
    save(figure, path, dpi=120)
