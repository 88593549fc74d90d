"""The panels of a run's picture, one function each; their colours can be told apart with any colour vision."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection, PolyCollection
from matplotlib.colors import Normalize
from matplotlib.patheffects import withStroke

from cosim.mobility.ground import Ground
from cosim.quantity import quantity
from cosim.report.series import LEVELS, Outcomes, Places
from cosim.trace.metrics.statistics import Estimate
from cosim.types import FloatArray

_OUTCOME_COLOURS: Final = {"completed": "#56B4E9", "late": "#E69F00", "lost": "#000000", "in flight": "#BBBBBB"}
"""Colours of Okabe and Ito's palette, as are those of the tiers."""
_TIER_STYLES: Final[Mapping[str, tuple[str, Any]]] = {
    "all": ("#000000", "-"),
    "local": ("#D55E00", "--"),
    "edge": ("#0072B2", "-."),
    "cloud": ("#009E73", ":"),
    "neighbour": ("#CC79A7", (0, (5, 1, 1, 1, 1, 1))),
}
_MOST_NAMES: Final = 32
_MOST_BARS: Final = 24
_LITTLE: Final = 0.1
_HALO: Final = (withStroke(linewidth=2.5, foreground="white"),)


def draw_map(
    axes: Axes, ground: Ground, sites: pd.DataFrame, places: Places, cell_m: tuple[float, float] | None
) -> Collection | None:
    """Draw roads, sites, and mean latency by place.

    Args:
        axes: where to draw.
        ground: roads and frame.
        sites: name, x_m and y_m of the sites.
        places: mean latency by place.
        cell_m: width and height of the hexagons; None: discs at the sites, with an area that grows with the tasks.

    Returns:
        The artist that has the colours of the latencies; None without any.
    """
    for width, colour, order in ((1.0, "0.75", 1), (0.4, "0.45", 3)):  # below the hexagons, and thinner above them
        roads = LineCollection(list(ground.roads_m), linewidths=width, colors=colour, capstyle="round", zorder=order)
        axes.add_collection(roads)
    coloured = None
    if len(places.tasks):
        coloured = _discs(axes, places) if cell_m is None else _hexagons(axes, places, cell_m)
        low_s, high_s = np.quantile(places.latency_s, (0.02, 0.98))
        coloured.set_norm(Normalize(float(low_s) * 1e3, float(max(high_s, low_s * 1.001)) * 1e3))
    _sites(axes, sites)
    axes.set(
        xlim=(ground.low_m[0], ground.high_m[0]),
        ylim=(ground.low_m[1], ground.high_m[1]),
        xlabel="x (m)",
        ylabel="y (m), stretched" if ground.stretched else "y (m)",
        aspect="auto" if ground.stretched else "equal",
    )
    return coloured


def _hexagons(axes: Axes, places: Places, cell_m: tuple[float, float]) -> Collection:
    corners = np.array([(0.5, 1 / 6), (0.0, 1 / 3), (-0.5, 1 / 6), (-0.5, -1 / 6), (0.0, -1 / 3), (0.5, -1 / 6)])
    shapes = places.xy_m[:, None, :] + corners * cell_m
    hexagons = PolyCollection(list(shapes), array=places.latency_s * 1e3, cmap="viridis", linewidths=0.2, zorder=2)
    hexagons.set_edgecolor("face")
    axes.add_collection(hexagons)
    return hexagons


def _discs(axes: Axes, places: Places) -> Collection:
    size = 60.0 + 840.0 * places.tasks / places.tasks.max()
    x_m, y_m = places.xy_m.T
    return axes.scatter(
        x_m,
        y_m,
        s=size,
        c=places.latency_s * 1e3,
        cmap="viridis",
        alpha=0.9,
        edgecolors="white",
        zorder=2,
        clip_on=False,
    )


def _sites(axes: Axes, sites: pd.DataFrame) -> None:
    few = len(sites) <= _MOST_NAMES
    axes.scatter(
        sites.x_m,
        sites.y_m,
        s=60.0 if few else 22.0,
        marker="^",
        c="white",
        edgecolors="#CC3311",
        linewidths=1.3,
        zorder=4,
    )
    for name, x_m, y_m in sites[["name", "x_m", "y_m"]].itertuples(index=False, name=None) if few else ():
        axes.annotate(
            name, (x_m, y_m), xytext=(0, -6), textcoords="offset points", ha="center", va="top", zorder=5, size=7
        ).set_path_effects(list(_HALO))


def draw_latency(axes: Axes, curves: Mapping[str, tuple[int, FloatArray]]) -> None:
    """Draw distribution functions of the latency, for all finished tasks and by tier."""
    axes.set(title="Latency of finished tasks", xlabel="latency (ms)", ylabel="share of tasks", ylim=(0, 1.22))
    if "all" not in curves:
        _empty(axes, "no task finished")
        return
    everything, whole = curves["all"]
    several = len(curves) > 2
    for name, (tasks, curve) in curves.items():
        if name == "all" or several:
            colour, line = _TIER_STYLES[name]
            label = name if name == "all" else f"{name}, {tasks / everything:.0%}"
            axes.plot(
                curve * 1e3, LEVELS, color=colour, linestyle=line, linewidth=1.8 if name == "all" else 1.3, label=label
            )
    limit_ms = float(np.interp(0.995, LEVELS, whole)) * 1.1e3
    axes.set_xlim(0.0, limit_ms)
    for level in (0.50, 0.95, 0.99):
        _quantile(axes, level, float(np.interp(level, LEVELS, whole)) * 1e3, limit_ms)
    if several:
        axes.legend(loc="lower right", frameon=False)


def _quantile(axes: Axes, level: float, place_ms: float, limit_ms: float) -> None:
    """Draw a dot and its number: p50 beside the curve, p95 above it to the left, p99 to the right if there is room."""
    axes.plot(place_ms, level, marker="o", markersize=4, color="black", zorder=5)
    if level < 0.9:
        across, rise, side = 6, -10, "left"
    elif level < 0.97:
        across, rise, side = -2, 5, "right"
    elif place_ms < 0.85 * limit_ms:
        across, rise, side = 2, 5, "left"
    else:
        across, rise, side = 8, 14, "right"
    axes.annotate(
        f"p{level * 100:.0f} {quantity(place_ms, 'ms')}",
        (place_ms, level),
        xytext=(across, rise),
        textcoords="offset points",
        ha=side,
    ).set_path_effects(list(_HALO))


def draw_outcomes(axes: Axes, outcomes: Outcomes, warmup_s: float, end_s: float) -> None:
    """Draw the outcomes of tasks by time of release, as stacked bars.

    Args:
        axes: where to draw.
        outcomes: tasks per second by outcome.
        warmup_s: end of the warm-up, which is shaded.
        end_s: end of the run.
    """
    axes.set(
        title=f"Outcomes of tasks by time of release, slices of {outcomes.slice_s:g} s",
        xlabel="time (s)",
        ylabel="tasks/s",
        xlim=(0.0, max(end_s, 1.0)),
    )
    floor = np.zeros(len(outcomes.begin_s))
    total = sum(float(values.sum()) for values in outcomes.per_s.values())
    if not total:
        _empty(axes, "no task")
        return
    for name, values in outcomes.per_s.items():
        if not values.any():
            continue
        axes.bar(
            outcomes.begin_s,
            values,
            width=outcomes.slice_s,
            bottom=floor,
            align="edge",
            color=_OUTCOME_COLOURS[name],
            label=name,
        )
        floor = floor + values
    if warmup_s > 0.0:
        axes.axvspan(0.0, warmup_s, color="white", alpha=0.55, linewidth=0)
        axes.annotate(
            "warm-up",
            (warmup_s / 2.0, 0.03),
            xycoords=("data", "axes fraction"),
            ha="center",
            size=7,
            rotation=90 if warmup_s < 0.12 * end_s else 0,
        )
    axes.set_ylim(0.0, float(floor.max()) * 1.35)
    axes.legend(loc="upper right", ncols=4, frameon=False, handlelength=1.0, columnspacing=1.2)


def draw_utilisation(axes: Axes, use: Mapping[str, Estimate]) -> None:
    """Draw the utilisation of each host with its interval; more hosts than fit are sorted and lose their names."""
    axes.set(title="Utilisation of hosts", ylabel="share of busy cores", ylim=(0, 1.05))
    if not use:
        _empty(axes, "no host")
        return
    names = list(use)
    many = len(names) > _MOST_BARS
    if many:
        names.sort(key=lambda name: -use[name].value)
    values = np.array([use[name].value for name in names])
    error = np.nan_to_num([use[name].half_width for name in names])
    axes.bar(
        np.arange(len(names)),
        values,
        width=1.0 if many else 0.75,
        yerr=error,
        color="#009E73",
        edgecolor="#009E73",
        linewidth=0.3,
        error_kw={"elinewidth": 0.7},
    )
    middle, half = (len(names) - 1) / 2.0, max(len(names), 6) / 2.0 + 0.1
    axes.set_xlim(middle - half, middle + half)
    if values.max() < _LITTLE:
        axes.set_ylim(0.0, max(float((values + error).max()), 1e-9) * 1.2)
    if many:
        axes.set(xticks=[], xlabel=f"{len(names)} hosts, sorted")
    else:
        turned = max(map(len, names)) * len(names) > 70
        axes.set_xticks(range(len(names)), names, rotation=45 if turned else 0, ha="right" if turned else "center")


def _empty(axes: Axes, told: str) -> None:
    axes.text(0.5, 0.5, told, transform=axes.transAxes, ha="center", va="center", color="0.4")
