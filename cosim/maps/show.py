"""Description of a map: its figures, and a picture of its roads, traffic and sites."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from cosim.errors import InputError
from cosim.mobility.catalog import MapFiles
from cosim.mobility.frames import CENTI
from cosim.mobility.inputs import opened_files
from cosim.mobility.record import recorded_bounds, recorded_s, recorded_vehicles
from cosim.parquet import open_literally
from cosim.roads.net import Bounds, RoadNet, read_net
from cosim.roads.siting import PlacedSite
from cosim.roads.xmlscan import scan_xml
from cosim.trace.store.durable import write_durably

_CELL_M = 25.0
_TELEPORTED_M = 1e7
"""Size beyond which x is no position: recordings mark a vehicle that SUMO teleports by -2^31 hundredths."""


@dataclass(frozen=True, slots=True)
class MapFacts:
    """The figures of a map."""

    name: str
    bounds_m: Bounds
    edges: int  # that passenger cars may use
    junctions: int
    traffic_lights: int
    road_m: float  # both directions of a street count
    vehicles: int  # single vehicles and trips of the demand; of a map without roads, those of its recording
    flows: int  # each stands for many vehicles
    begin_s: float  # the map is full from then on; 0: not known
    end_s: float | None  # last departure
    has_sites: bool
    origin: str
    licence: str


def describe_map(files: MapFiles) -> MapFacts:
    """Return the figures of a map, from its net and demand.

    Raises:
        InputError: a file is broken.
    """
    net = read_net(files.net) if files.net is not None else _no_roads(files)
    vehicles, flows = _demand(opened_files([*files.routes, *files.additional]))
    if files.net is None and files.recording is not None:
        vehicles = recorded_vehicles(files.recording)
    return MapFacts(
        name=files.name,
        bounds_m=net.bounds_m,
        edges=len(net.edges),
        junctions=net.junctions,
        traffic_lights=net.traffic_lights,
        road_m=net.length_m,
        vehicles=vehicles,
        flows=flows,
        begin_s=files.begin_s,
        end_s=files.end_s,
        has_sites=files.sites is not None,
        origin=files.origin,
        licence=files.licence,
    )


def draw_road_map(files: MapFiles, path: Path, sites: tuple[PlacedSite, ...] = ()) -> None:
    """Draw roads, wider for more lanes, recorded traffic, and sites into a picture in the format of the file's suffix.

    Args:
        files: files of the map.
        path: picture to write.
        sites: sites to draw.

    Raises:
        InputError: the net is broken or the picture cannot be written.
    """
    figure = Figure(figsize=(8, 8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(aspect="equal", xlabel="x (m)", ylabel="y (m)", title=files.name)
    if files.net is not None:
        axes.add_collection(draw_roads(files.net))
    if files.recording is not None:
        _density(axes, files.recording)
    axes.plot(
        [site.x_m for site in sites],
        [site.y_m for site in sites],
        linestyle="none",
        marker="^",
        color="tab:red",
        label=f"{len(sites)} sites",
    )
    if sites:
        axes.legend(loc="upper right")
    axes.autoscale_view()
    try:
        write_durably(path, lambda sink: figure.savefig(sink, format=path.suffix[1:] or "png", dpi=120))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the picture cannot be written ({error}); choose another file") from error


def draw_roads(net: Path) -> LineCollection:
    """Return the roads as lines, wider for more lanes.

    Raises:
        InputError: the net is broken.
    """
    edges = read_net(net).edges
    return LineCollection(
        [edge.shape_m for edge in edges], linewidths=[0.4 + 0.3 * e.lanes for e in edges], colors="0.45"
    )


def _density(axes: Axes, recording: Path) -> None:
    """Draw the mean number of vehicles at once in each square of 25 m."""
    step_s, length_s = recorded_s(recording)
    with open_literally(recording) as file:
        table = pq.read_table(file, columns=["x_centi", "y_centi"])
    x_m, y_m = (table[name].to_numpy() / CENTI for name in ("x_centi", "y_centi"))
    on_road = x_m > -_TELEPORTED_M
    cells = np.column_stack((x_m, y_m))[on_road] // _CELL_M
    cells, counts = np.unique(cells, axis=0, return_counts=True)
    x_m, y_m = (cells.T + 0.5) * _CELL_M
    at_once = counts / (length_s / step_s + 1.0)
    shown = axes.scatter(x_m, y_m, c=at_once, s=6, marker="s", cmap="viridis", norm="log", zorder=2)
    axes.figure.colorbar(shown, ax=axes, label=f"vehicles at once in {_CELL_M:g} m x {_CELL_M:g} m", shrink=0.7)


def _no_roads(files: MapFiles) -> RoadNet:
    if files.recording is None:
        raise InputError(f"map={files.name}: neither a net nor a recording; import it again")
    return RoadNet(recorded_bounds(files.recording), (), 0, 0)


def _demand(routes: Iterable[Path]) -> tuple[int, int]:
    counts = {"vehicle": 0, "trip": 0, "flow": 0}

    def on_element(name: str, _: dict[str, str]) -> None:
        if name in counts:
            counts[name] += 1

    for path in routes:
        scan_xml(path, on_element, "correct the route file")
    return counts["vehicle"] + counts["trip"], counts["flow"]
