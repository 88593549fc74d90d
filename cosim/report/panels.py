"""The panels of a run's picture, one function each; colours are told apart with any colour vision."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Normalize
from matplotlib.patheffects import withStroke

from cosim.report.gather import LEVELS, Outcomes, Places
from cosim.report.ground import Ground
from cosim.trace.statistics import Estimate
from cosim.types import FloatArray

_OUTCOME_COLOURS: Final = {"completed": "#0072B2", "late": "#E69F00", "lost": "#000000", "in flight": "#BBBBBB"}
"""Okabe and Ito's palette, as are the tiers' colours."""
_TIER_STYLES: Final = {
    "all": ("#000000", "-"),
    "local": ("#E69F00", "--"),
    "edge": ("#0072B2", "-."),
    "cloud": ("#009E73", ":"),
    "neighbour": ("#CC79A7", (0, (5, 1, 1, 1, 1, 1))),
}
_LEAST_TASKS: Final = 3
_MOST_NAMES: Final = 32
_HALO: Final = (withStroke(linewidth=2.0, foreground="white"),)


def draw_map(axes: Axes, ground: Ground, sites: pd.DataFrame, places: Places, by_cell: bool) -> PolyCollection | None:
    """Roads, sites, and mean latency by place: hexagons, or discs at the sites; what the colours belong to."""
    widths = {"linewidths": 1.1, "colors": "0.72", "capstyle": "round"}
    axes.add_collection(LineCollection(list(ground.roads_m), zorder=1, **widths))
    coloured = _discs(axes, places) if by_cell else _hexagons(axes, ground, places)
    _sites(axes, sites)
    axes.set(
        xlim=(ground.low_m[0], ground.high_m[0]),
        ylim=(ground.low_m[1], ground.high_m[1]),
        xlabel="x (m)",
        ylabel="y (m), stretched" if ground.stretched else "y (m)",
        aspect="auto" if ground.stretched else "equal",
    )
    return coloured
