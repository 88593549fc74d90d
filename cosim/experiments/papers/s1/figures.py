"""Pictures of paper S1's figures: the agents in colour with their bands, rules and the optimum in black and grey."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from cosim.experiments.figures import COLOURS, GRIDDED
from cosim.experiments.papers.lines import Line, Measured, Sweep, estimate
from cosim.experiments.papers.s1.claims import Curves
from cosim.experiments.papers.s1.plan import (
    CURVES,
    GREEDY,
    JOINTLY,
    OPTIMUM,
    PANELS,
    QUANTUM,
    SETTINGS,
    SMALL,
    TRAINED_ON,
    USUAL,
    WITH_POWER,
    S1Size,
)
from cosim.report.picture.style import save

_STYLE: Final[dict[Any, Any]] = {
    **GRIDDED,
    "axes.titleweight": "normal",
    "grid.color": "0.92",
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
}
_STYLES: Final[Mapping[str, dict[str, Any]]] = {
    QUANTUM: {"color": COLOURS[0], "marker": "o"},
    USUAL: {"color": COLOURS[1], "marker": "s"},
    SMALL: {"color": COLOURS[2], "marker": "^"},
    "local": {"color": "0.55", "linestyle": (0, (1, 1.2))},
    "random": {"color": "0.55", "linestyle": (0, (5, 1, 1, 1))},
    "nearest": {"color": "0.55", "linestyle": (0, (3, 1, 1, 1, 1, 1))},
    GREEDY: {"color": "0.25", "linestyle": (0, (5, 2))},
    OPTIMUM: {"color": "black", "linestyle": "solid", "linewidth": 1.1},
    WITH_POWER: {"color": "black", "linestyle": (0, (1, 1)), "linewidth": 1.1},
    JOINTLY: {"color": "black", "linestyle": (0, (1, 1)), "linewidth": 1.1},
}
_TITLES: Final[Mapping[int, str]] = {
    3: "Figure 3: reward of an episode while learning",
    4: "Figure 4: cost over bandwidth",
    5: "Figure 5: latency while learning",
    6: "Figure 6: cost while learning",
    7: "Figure 7: cost over task complexity, fast and slow servers",
    8: "Figure 8: cost over task complexity",
    9: "Figure 9: cost with and without the digital twin",
}
_FLAT: Final = 4.0
"""Highest over lowest of what a linear axis still shows."""
_Y: Final[Mapping[str, str]] = {
    "reward": "reward of an episode of {epochs} slots",
    "latency": "mean latency of a task (ms)",
    "cost": "cost of a slot, w1 L + (1 - w1) E (1e-3)",
}


def draw_curves(path: Path, figure: int, curves: Curves, size: S1Size) -> None:
    """Figure 3, 5 or 6: a panel for each setting.

    Raises:
        InputError: it cannot be written.
    """
    quantity = CURVES[figure]
    factor = 1e3 if quantity == "cost" else 1.0
    with rc_context(_STYLE):
        canvas = _canvas(len(SETTINGS), 1)
        panels = canvas.subplots(1, len(SETTINGS), sharey=True, squeeze=False)[0]
        for axes, setting in zip(panels, SETTINGS, strict=True):
            for of, agent in curves.agents:
                if of != setting:
                    continue
                band = curves.smooth(setting, agent, quantity, size.window)
                episode, style = np.arange(1, len(band.value) + 1), {**_STYLES[agent], "marker": ""}
                axes.fill_between(episode, factor * band.low, factor * band.high, color=style["color"], alpha=0.2, lw=0)
                axes.plot(episode, factor * band.value, label=agent, **style)
            for name, level in curves.levels.items():
                axes.axhline(factor * estimate(level[quantity]).value, label=name, **_STYLES[name])
            axes.set(title=PANELS[setting], xlabel="episode")
            axes.xaxis.get_major_locator().set_params(integer=True)
        panels[0].set_ylabel(_Y[quantity].format(epochs=size.epochs))
        shorter = f"; {size.others} with tuned settings" if size.others != size.episodes else ""
        told = f"mean of {size.window} episodes, agents explore; rules in every 5th episode; {TRAINED_ON['nominal']}"
        _finish(canvas, panels, _TITLES[figure], f"Trainings of {size.episodes} episodes{shorter}; {told}", size, path)


def draw_sweep(path: Path, figure: int, sweep: Sweep, measured: Mapping[str, Measured], size: S1Size) -> None:
    """Figure 4, 7, 8 or 9: cost over the parameter, a panel for each setting.

    Raises:
        InputError: it cannot be written.
    """
    lines = [one.line for one in measured.values()]
    names = list(dict.fromkeys(line.panel for line in lines if line.panel))
    variants = list(dict.fromkeys(line.variant for line in lines))
    with rc_context(_STYLE):
        columns = min(2, len(names))
        rows = -(-len(names) // columns)
        canvas = _canvas(columns, rows)
        panels = canvas.subplots(rows, columns, sharey=len(names) <= 2, squeeze=False).ravel()
        for axes, panel in zip(panels, names, strict=False):
            for one in measured.values():
                if one.line.panel in (panel, ""):
                    _sweep_line(axes, sweep, one, variants.index(one.line.variant))
            axes.set(title=PANELS.get(panel, panel), xlabel=sweep.x_label)
            _scale(axes)
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        for row in range(rows):
            panels[row * columns].set_ylabel(_Y["cost"])
        groups = list(dict.fromkeys(line.group for line in lines if line.group))
        trained = "; ".join(TRAINED_ON[group] for group in groups)
        told = f"Realised in roll-outs of {size.duration_s:g} s without exploration; agents trained {trained}"
        told = f"Trainings of {size.episodes} episodes. {told}"
        _finish(canvas, panels, _TITLES[figure], told, size, path)


def _sweep_line(axes: Axes, sweep: Sweep, one: Measured, turn: int) -> None:
    """A line with its band; a second variant is dashed and hollow."""
    told = [estimate(1e3 * one.scores["cost"][:, place]) for place in range(len(sweep.points))]
    style = dict(_STYLES[one.line.name])
    if one.line.variant:
        marker = style.get("marker", "D" if one.line.name == OPTIMUM else "v")
        style.update(linestyle=("dashed", "solid")[turn] if sweep.name == "fig9" else ("solid", "dashed")[turn])
        style.update(marker=marker, markerfacecolor=style["color"] if style["linestyle"] == "solid" else "white")
    low, high = [value.low for value in told], [value.high for value in told]
    axes.fill_between(sweep.points, low, high, color=style["color"], alpha=0.15, lw=0)
    axes.plot(sweep.points, [value.value for value in told], label=_named(one.line), **style)


def _scale(axes: Axes) -> None:
    """Logarithmic where one line would press the others together."""
    heights = np.concatenate([np.asarray(line.get_ydata(), np.float64) for line in axes.get_lines()])
    if heights.max() > _FLAT * heights.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())


def _named(line: Line) -> str:
    return f"{line.name}, {line.variant}" if line.variant else line.name


def _canvas(columns: int, rows: int) -> Figure:
    figure = Figure(figsize=(3.9 * columns + 1.9, 3.1 * rows + 0.9))
    FigureCanvasAgg(figure)
    return figure


def _finish(figure: Figure, panels: Iterable[Axes], title: str, told: str, size: S1Size, path: Path) -> None:
    """Legend at the right, title above, what it is below; a quick run says so across the picture."""
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(handles.values(), handles.keys(), loc="outside right center", fontsize=8)
    quick = "" if size.run == "full" else f"{size.run}: "
    figure.suptitle(f"{quick}{title}", fontsize=10.5, fontweight="bold", x=0.01, ha="left")
    seeds = f"{size.seeds} seed{'s' * (size.seeds > 1)}"
    bands = " with 95 % bootstrap bands" if size.seeds > 1 else ""
    first = f"Paper S1. Interquartile mean over {seeds}{bands}. "
    letters = int(14.5 * figure.get_figwidth())
    figure.supxlabel("\n".join(wrap(f"{first}{told}.", letters)), fontsize=7.5, x=0.01, ha="left")
    if quick:
        figure.text(0.42, 0.5, size.run, fontsize=70, color="0.5", alpha=0.25, ha="center", va="center", rotation=20)
    save(figure, path, dpi=120)
