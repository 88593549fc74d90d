"""The map of a running scenario as an array of pixels."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosim.envs.traffic import sites_of
from cosim.mobility.ground import ground, map_of
from cosim.scenario.schema import Scenario

if TYPE_CHECKING:
    from cosim.envs.loop import Loop

_SIZE_INCH: Final = 6.4
_DPI: Final = 100


class MapPicture:
    """A picture of 640 x 640 pixels: roads grey, sites red triangles, vehicles blue, orange where their tasks wait.

    Args:
        scenario: the scenario, with its sites listed.
        folder: folder from which its relative paths start.
    """

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - most environments draw nothing
        from matplotlib.collections import LineCollection  # noqa: PLC0415 - likewise
        from matplotlib.figure import Figure  # noqa: PLC0415 - likewise

        sites = pd.DataFrame([(site.x_m, site.y_m) for site in sites_of(scenario, folder)], columns=["x_m", "y_m"])
        under = ground(map_of(scenario, folder), sites.to_numpy(np.float64))
        figure = Figure(figsize=(_SIZE_INCH, _SIZE_INCH), dpi=_DPI, layout="tight")
        self._canvas: Any = FigureCanvasAgg(figure)
        self._axes: Any = figure.add_subplot(
            xlim=(under.low_m[0], under.high_m[0]),
            ylim=(under.low_m[1], under.high_m[1]),
            xlabel="x (m)",
            ylabel="y (m)",
            aspect="auto" if under.stretched else "equal",
        )
        self._axes.add_collection(LineCollection(list(under.roads_m), linewidths=0.8, colors="0.7"))
        self._axes.plot(sites.x_m, sites.y_m, "^", color="#D55E00", markersize=8, linestyle="none")
        (self._vehicles,) = self._axes.plot([], [], "o", color="#0072B2", markersize=3)
        (self._waiting,) = self._axes.plot([], [], "o", color="#E69F00", markersize=5)

    def drawn(self, loop: "Loop") -> NDArray[np.uint8]:
        """Return the picture of a loop's episode as it is now, (640, 640, 3).

        Raises:
            RuntimeError: no episode has begun.
        """
        vehicles, xy_m = loop.vehicles, loop.positions_m
        waiting = np.isin(vehicles, loop.waiting_vehicles)
        self._vehicles.set_data(*xy_m[~waiting].T)
        self._waiting.set_data(*xy_m[waiting].T)
        self._axes.set_title(f"{loop.scenario.name}, t = {loop.time_s:.2f} s")
        self._canvas.draw()
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()
