"""What a map is made of, as numbers and as a picture."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from cosim.errors import InputError
from cosim.mobility.catalog import MapFiles
from cosim.roads import Bounds, RoadNet, read_net
from cosim.siting import Placed
from cosim.xmlscan import scan_xml


@dataclass(frozen=True, slots=True)
class MapFacts:
    """A map in numbers."""

    name: str
    bounds_m: Bounds
    edges: int  # that passenger cars may use
    junctions: int
    traffic_lights: int
    road_m: float  # both directions of a street count
    vehicles: int  # single vehicles and trips of the demand
    flows: int  # each stands for many vehicles
    begin_s: float  # the map is full from then on; 0: not known
    end_s: float | None  # last departure
    has_sites: bool
    origin: str
    licence: str


def describe(files: MapFiles) -> MapFacts:
    """Reads net and demand of a map.

    Raises:
        InputError: a file is broken.
    """
    net = read_net(files.net)
    vehicles, flows = _demand(files.routes)
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


def draw(files: MapFiles, path: Path, sites: tuple[Placed, ...] = ()) -> None:
    """Draws roads, wider for more lanes, and sites into a picture whose format is that of the path's ending.

    Raises:
        InputError: the net is broken or the picture cannot be written.
    """
    figure = Figure(figsize=(8, 8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(aspect="equal", xlabel="x (m)", ylabel="y (m)", title=files.name)
    axes.add_collection(_roads(read_net(files.net)))
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
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the picture cannot be written ({error}); choose another file") from error


def _roads(net: RoadNet) -> LineCollection:
    widths = [0.4 + 0.3 * edge.lanes for edge in net.edges]
    return LineCollection([edge.shape_m for edge in net.edges], linewidths=widths, colors="0.45")


def _demand(routes: Iterable[Path]) -> tuple[int, int]:
    counts = {"vehicle": 0, "trip": 0, "flow": 0}

    def on_element(name: str, _: dict[str, str]) -> None:
        if name in counts:
            counts[name] += 1

    for path in routes:
        scan_xml(path, on_element, "correct the route file")
    return counts["vehicle"] + counts["trip"], counts["flow"]
