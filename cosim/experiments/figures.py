"""Pictures of experiments: results of policies with their intervals, and learning curves with their bands."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cosim.experiments.compare import Standing
from cosim.experiments.statistics import Curve
from cosim.quantity import scaled
from cosim.report.picture.style import STYLE, save
from cosim.trace.metrics.statistics import Estimate

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
"""Okabe and Ito's palette without its yellow, whose colours can be told apart with any colour vision."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<")
GRIDDED: Final[dict[Any, Any]] = {
    **STYLE,
    "font.size": 8.5,
    "axes.grid": True,
    "grid.color": "0.9",
    "legend.frameon": False,
}
_WORDS: Final[Mapping[str, str]] = {
    "epoch_cost": "cost of a decision epoch",
    "decided_latency_mean": "mean latency from the decision",
    "latency_mean": "mean latency from the release",
    "vehicle_energy_per_task": "vehicle energy per task",
    "completed_ratio": "completed in time",
    "cost_mean": "cost of a task from its release",
    "reward": "reward of an episode",
    "cost": "cost of an episode",
    "latency_s": "latency, summed over an episode (s)",
    "energy_j": "energy, summed over an episode (J)",
    "steps": "steps of an episode",
}
_WIDE: Final = 30.0
"""Ratio of the highest to the lowest value from which a curve is drawn on a logarithmic axis."""


def draw_standings(path: Path, title: str, found: Sequence[Standing]) -> None:
    """Draw a column for each figure: above every policy's interquartile mean, below its paired difference to the first.

    Args:
        path: the picture to write.
        title: title above the picture.
        found: results of the policies.

    Raises:
        InputError: the picture cannot be written.
    """
    metrics = list(dict.fromkeys(one.metric for one in found))
    policies = list(dict.fromkeys(one.policy for one in found))
    with rc_context({**GRIDDED, "axes.grid.axis": "x"}):
        height = 1.5 + 0.3 * len(policies)
        rows = 2 if len(policies) > 1 else 1
        figure = Figure(figsize=(max(6.0, 3.1 * len(metrics) + 1.0), rows * height))
        FigureCanvasAgg(figure)
        panels = figure.subplots(rows, len(metrics), squeeze=False, sharey="row")
        for column, metric in enumerate(metrics):
            here = [one for one in found if one.metric == metric]
            _dots(panels[0, column], [one.policy for one in here], [one.value for one in here], policies)
            panels[0, column].set_title(_WORDS.get(metric, metric.replace("_", " ")))
            if rows == 1:
                continue
            paired = [(one.policy, one.difference) for one in here if one.difference is not None]
            _dots(panels[1, column], [name for name, _ in paired], [one for _, one in paired], policies)
            panels[1, column].axvline(0.0, color="0.4", linewidth=0.8)
            panels[1, column].set_title("difference, paired by seed")
        seeds = found[0].seeds
        intervals = "95 % bootstrap intervals" if seeds > 1 else "no intervals from a single seed"
        figure.suptitle(title, fontsize=11, fontweight="bold")
        against = f"; differences to {policies[0]}" if rows > 1 else ""
        told = f"interquartile means over {seeds} seed{'s' * (seeds > 1)}, {intervals}{against}"
        figure.supxlabel(told, fontsize=8)
        save(figure, path)


def _dots(axes: Axes, names: Sequence[str], estimates: Sequence[Estimate], policies: Sequence[str]) -> None:
    """Draw a dot with its interval for each estimate, in a row of its own, the first policy on top."""
    ends = np.array([(one.low, one.value, one.high) for one in estimates], dtype=np.float64).reshape(-1, 3)
    largest = float(np.nanmax(np.abs(ends))) if np.isfinite(ends).any() else 1.0
    unit = estimates[0].unit if estimates else ""
    scale = scaled(largest, unit)
    for place, (name, (low, value, high)) in enumerate(zip(names, ends * scale.factor, strict=True)):
        turn = policies.index(name) % len(COLOURS)
        axes.plot([low, high], [place, place], color=COLOURS[turn], linewidth=2.2, solid_capstyle="butt")
        axes.plot(value, place, marker=MARKERS[turn], color=COLOURS[turn], markersize=6, linestyle="none")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.08)
    axes.locator_params(axis="x", nbins=5)
    axes.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4), useMathText=True)
    if unit:
        axes.set_xlabel(scale.unit)


def draw_curves(path: Path, title: str, said: str, curves: Mapping[str, Curve]) -> None:
    """Draw a panel for each quantity with its line and band.

    Args:
        path: the picture to write.
        title: title above the picture.
        said: text below it: what lines and bands are.
        curves: curves by quantity, all over episodes from 1 on.

    Raises:
        InputError: the picture cannot be written.
    """
    with rc_context(GRIDDED):
        figure = Figure(figsize=(3.6 * len(curves) + 0.6, 3.3))
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(curves), squeeze=False)[0]
        for axes, (quantity, one) in zip(panels, curves.items(), strict=True):
            episode = np.arange(1, len(one.value) + 1)
            axes.fill_between(episode, one.low, one.high, color=COLOURS[0], alpha=0.2, linewidth=0)
            axes.plot(episode, one.value, color=COLOURS[0], linewidth=1.4)
            axes.set(title=_WORDS.get(quantity, quantity.replace("_", " ")), xlabel="episode")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            if one.value.min() > 0.0 and one.value.max() > _WIDE * one.value.min():
                axes.set_yscale("log")
            else:
                axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4), useMathText=True)
        figure.suptitle(title, fontsize=11, fontweight="bold")
        figure.supxlabel(said, fontsize=8)
        save(figure, path)
