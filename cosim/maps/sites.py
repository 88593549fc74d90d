"""Placement of a map's roadside units: by grid, junctions or coverage, written to its sites.yaml, compared, drawn."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from math import ceil, hypot, sqrt
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from scipy.spatial import cKDTree

from cosim.errors import InputError
from cosim.maps.coverage import Presence, best_sites, covered_share, presence, range_m
from cosim.maps.show import draw_roads
from cosim.mobility.catalog import MapFiles
from cosim.mobility.connect import NO_MAP, connect
from cosim.mobility.record import recorded_s
from cosim.mobility.source import MobilitySource
from cosim.roads.net import Bounds
from cosim.roads.siting import read_junctions
from cosim.scenario.radio import Radio
from cosim.scenario.traffic import LibsumoMobility, ReplayMobility
from cosim.trace.store.durable import write_durably
from cosim.types import FloatArray

Method: TypeAlias = Literal["grid", "junctions", "coverage"]


@dataclass(frozen=True, slots=True)
class SiteSurvey:
    """The traffic and roads for which sites are placed and compared."""

    traffic: Presence
    net: Path | None
    bounds_m: Bounds
    reach_m: float

    def usual_count(self) -> int:
        """Return one site for every two squares of 400 m in which vehicles were."""
        return max(1, ceil(len(np.unique(np.floor(self.traffic.xy_m / 400.0), axis=0)) / 2))


@dataclass(frozen=True, slots=True)
class Plan:
    """The positions that were chosen, and the share of vehicle-seconds that each method covers with as many sites."""

    sites_m: FloatArray  # (S, 2)
    shares: dict[str, float]


def survey(files: MapFiles, folder: Path, radio: Radio, duration_s: float, recording: Path | None) -> SiteSurvey:
    """Return the traffic and roads of a map: of its own traffic from when the map is full, or of a recording.

    Args:
        files: files of the map.
        folder: folder from which relative paths start.
        radio: radio parameters, which give the range of a site.
        duration_s: simulated time that is watched; at most up to the end of the recording or configuration.
        recording: recorded traffic; None: SUMO is run.

    Raises:
        InputError: map or recording are broken, or no vehicle is on the road.
    """
    if recording is not None:
        watched_s = min(duration_s, recorded_s(recording)[1])
    else:
        watched_s = duration_s if files.stop_s is None else min(duration_s, files.stop_s - files.begin_s)
    with closing(_source(files, folder, watched_s, recording)) as source:
        traffic = presence(source, watched_s)
        return SiteSurvey(traffic, files.net, source.bounds_m, range_m(radio))


def plan_sites(area: SiteSurvey, method: Method, count: int) -> Plan:
    """Place `count` sites by a method, and compare it with grid and junctions.

    Args:
        area: traffic and roads.
        method: how to place them.
        count: number of sites.

    Raises:
        InputError: there are fewer junctions than sites.
    """
    grid = grid_places(area.bounds_m, count)
    starts = {"grid": grid}
    if area.net is not None:
        junctions = read_junctions(area.net)
        if len(junctions) >= count:
            starts["junctions"] = junction_places(list(junctions.values()), count, area.reach_m)
    if method == "coverage":
        starts["coverage"] = best_sites(area.traffic, area.net, count, area.reach_m, tuple(starts.values()))
    if method not in starts:
        raise InputError(f"--count={count} is more than the map has junctions; lower it or use --method coverage")
    shares = {name: covered_share(area.traffic, places, area.reach_m) for name, places in starts.items()}
    return Plan(starts[method], shares)


def grid_places(bounds_m: Bounds, count: int) -> FloatArray:  # (count, 2)
    """Return positions in rows about as far apart as the positions within them, each row centred.

    >>> grid_places((0.0, 0.0, 400.0, 200.0), 2).tolist()
    [[100.0, 100.0], [300.0, 100.0]]
    """
    left, bottom, right, top = bounds_m
    width, height = max(right - left, 1.0), max(top - bottom, 1.0)
    rows = min(count, max(1, round(sqrt(count * height / width))))
    per_row = [count // rows + (row < count % rows) for row in range(rows)]
    places = [
        (left + width * (k + 0.5) / inside, bottom + height * (row + 0.5) / rows)
        for row, inside in enumerate(per_row)
        for k in range(inside)
    ]
    return np.array(places)


def junction_places(junctions: list[tuple[float, float, int]], count: int, apart_m: float) -> FloatArray:  # (count, 2)
    """Return the positions of the junctions with the most incoming lanes that are at least `apart_m` apart.

    The distance is halved until `count` junctions are found.

    Args:
        junctions: x and y in m, and incoming lanes of each; at least `count` of them.
        count: number of sites.
        apart_m: least distance between two sites.
    """
    ordered = sorted(junctions, key=lambda one: (-one[2], one[0], one[1]))
    while True:
        taken: list[tuple[float, float]] = []
        for x_m, y_m, _ in ordered:
            if len(taken) < count and all(hypot(x_m - x, y_m - y) >= apart_m for x, y in taken):
                taken.append((x_m, y_m))
        if len(taken) == count:
            return np.array(taken)
        apart_m = apart_m / 2.0 if apart_m > 1.0 else 0.0


def write_sites(path: Path, sites_m: Sequence[Sequence[float]], head: str) -> None:
    """Write a sites.yaml with sites named rsu0, rsu1, and so on.

    Args:
        path: file to write.
        sites_m: positions, x and y of each.
        head: comment in its first line.

    Raises:
        InputError: the file cannot be written.
    """
    lines = [f"  - {{name: rsu{k}, x_m: {x:.2f}, y_m: {y:.2f}}}" for k, (x, y) in enumerate(sites_m)]
    try:
        write_durably(path, lambda sink: sink.write("\n".join([f"# {head}", "sites:", *lines, ""]).encode()))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another file") from error


def draw_coverage(area: SiteSurvey, plan: Plan, title: str, path: Path) -> None:
    """Draw roads, positions of vehicles (red where no site reaches), sites and their range.

    Args:
        area: traffic and roads.
        plan: positions of the sites.
        title: title of the picture.
        path: picture to write.

    Raises:
        InputError: the picture cannot be written.
    """
    figure = Figure(figsize=(8, 8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(aspect="equal", xlabel="x (m)", ylabel="y (m)", title=title)
    if area.net is not None:
        axes.add_collection(draw_roads(area.net))
    away_m = cKDTree(plan.sites_m).query(area.traffic.xy_m)[0]
    covered = away_m <= area.reach_m
    for color, chosen, label in (("tab:blue", covered, "covered"), ("tab:red", ~covered, "not covered")):
        x_m, y_m = area.traffic.xy_m[chosen].T
        axes.scatter(x_m, y_m, s=3, color=color, label=label, linewidths=0, zorder=2)
    for x, y in plan.sites_m.tolist():
        axes.add_patch(Circle((x, y), area.reach_m, fill=False, color="0.3", linewidth=0.5))
    axes.plot(*plan.sites_m.T, linestyle="none", marker="^", color="black", label=f"{len(plan.sites_m)} sites")
    axes.legend(loc="upper right")
    axes.autoscale_view()
    try:
        write_durably(path, lambda sink: figure.savefig(sink, format=path.suffix[1:] or "png", dpi=120))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the picture cannot be written ({error}); choose another file") from error


def _source(files: MapFiles, folder: Path, duration_s: float, recording: Path | None) -> MobilitySource:
    if recording is not None:
        step_s, _ = recorded_s(recording)
        replay = ReplayMobility(kind="replay", file=str(recording.resolve()), step_s=step_s)
        return connect(replay, NO_MAP, folder, 1, duration_s)
    mobility = LibsumoMobility(begin_s=files.begin_s, **dict(files.traffic))
    return connect(mobility, files.name, folder, 1, duration_s)
