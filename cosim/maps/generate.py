"""Map folders made by SUMO's netgenerate: a Manhattan grid for a wanted number of vehicles, and one intersection."""

import json
import re
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from cosim.errors import InputError
from cosim.locks import drafting
from cosim.maps.first_run import write_first_run
from cosim.mobility.cache import cached, content_key
from cosim.mobility.demand import gzip_without_comments, random_routes
from cosim.mobility.programs import run_program, sumo_version
from cosim.roads.net import read_bounds
from cosim.roads.siting import place_sites
from cosim.scenario.traffic import RoadSites

_BLOCK_M = 200.0
_TRIP_S = 450.0
"""Mean time of a trip of 1.5 to 3 km beeline on such a grid with lights, measured on SUMO 1.28: 425 to 465 s."""
_FILLED_S = 600.0
"""Time from which on the grid holds the wanted number within 10 %: arrivals have caught up with departures."""
_STREETS_PER_SQRT_VEHICLE = 0.55
"""n / sqrt(vehicles) of a grid of n x n streets: for every number about the same density, 2 vehicles a lane and km."""
_ARM_M = 300.0
_SITE_SPACING_M = 800.0
_ORIGIN = "made by cosim with SUMO's netgenerate and randomTrips"
_LICENCE = "Apache-2.0"


@dataclass(frozen=True, slots=True)
class _Plan:
    """The options that a map is generated with, and the text that describes it."""

    title: str
    command: str
    net: list[str]  # options of netgenerate
    trips: list[str]  # options of randomTrips
    begin_s: float
    end_s: float


def generate_grid(name: str, folder: Path, vehicles: int, seed: int, end_s: float = 1800.0) -> Path:
    """Make a grid of two-lane streets, 200 m apart, with traffic lights, on which about `vehicles` drive at once.

    By Little's law vehicles at once = rate of departures x mean time of a trip; the trips are 1.5 to 3 km long on every
    size of grid, so the rate is vehicles / 450 s. The number is reached within 10 % at traffic time 600 s; measured on
    SUMO 1.28 up to 1,800 s for 1,000 vehicles and up to 700 s for 5,000 and 10,000.

    Args:
        name: name of the map folder.
        folder: folder in which it is made.
        vehicles: wanted at once, 1,000 to 10,000; a small grid carries shorter trips and fewer vehicles (150 gave 119).
        seed: seed of the demand.
        end_s: last departure.

    Returns:
        The map folder.

    Raises:
        InputError: the folder exists, a number is out of range, or a program of SUMO failed.
    """
    if not 1000 <= vehicles <= 10_000:
        raise InputError(f"vehicles={vehicles} is outside 1000..10000, for which the grid is measured; choose another")
    if end_s <= _FILLED_S:
        raise InputError(f"end_s={end_s:g} is before the grid is full at {_FILLED_S:g} s; raise it")
    streets = round(_STREETS_PER_SQRT_VEHICLE * sqrt(vehicles))
    net = ["--grid", "--grid.number", str(streets), "--grid.length", f"{_BLOCK_M:g}", "--default.lanenumber", "2"]
    trips = ["--period", f"{_TRIP_S / vehicles:.6f}", "--end", f"{end_s:g}", "--seed", str(seed), "--random-depart"]
    plan = _Plan(
        title=f"Manhattan grid of {streets} x {streets} streets, about {vehicles:,} vehicles at once from t=600 s on",
        command=f"cosim map make grid --name {name} --vehicles {vehicles} --seed {seed}",
        net=[*net, "--tls.guess", "true"],
        trips=[*trips, "--min-distance", "1500", "--max-distance", "3000"],
        begin_s=_FILLED_S,
        end_s=end_s,
    )
    return _make(name, folder, plan)


def generate_intersection(name: str, folder: Path, vehicles: int, seed: int, end_s: float = 1800.0) -> Path:
    """Make one crossing of two-lane streets with a traffic light and arms of 300 m, with about `vehicles` at once.

    A vehicle crosses in about 60 s; more than 60 vehicles at once are beyond what one light lets through.

    Args:
        name: name of the map folder.
        folder: folder in which it is made.
        vehicles: wanted at once, 1 to 60.
        seed: seed of the demand.
        end_s: last departure.

    Returns:
        The map folder.

    Raises:
        InputError: the folder exists, a number is out of range, or a program of SUMO failed.
    """
    if not 1 <= vehicles <= 60:
        raise InputError(f"vehicles={vehicles} is outside 1..60, what one crossing carries; choose another or a grid")
    net = ["--grid", "--grid.x-number", "1", "--grid.y-number", "1", "--grid.attach-length", f"{_ARM_M:g}"]
    trips = ["--period", f"{60.0 / vehicles:.6f}", "--end", f"{end_s:g}", "--seed", str(seed), "--random-depart"]
    plan = _Plan(
        title=f"One crossing with a traffic light, about {vehicles} vehicles at once from t=120 s on",
        command=f"cosim map make intersection --name {name} --vehicles {vehicles} --seed {seed}",
        net=[*net, "--default.lanenumber", "2", "--tls.set", "A0"],
        trips=[*trips, "--min-distance", f"{_ARM_M * 1.2:g}"],
        begin_s=120.0,
        end_s=end_s,
    )
    return _make(name, folder, plan)


def grid_in_cache(vehicles: int, seed: int) -> Path:
    """Return the map folder of `generate_grid` in the user's cache; make it first if it is not there."""
    key = content_key(["grid", str(vehicles), str(seed), sumo_version(), str(_TRIP_S)])
    name = f"grid-{vehicles}"

    def build(folder: Path) -> None:
        generate_grid(name, folder, vehicles, seed)

    return cached("maps", key, build) / name


def _make(name: str, folder: Path, plan: _Plan) -> Path:
    """Build a map folder under a temporary name and rename it, so that it is there whole or not at all."""
    target = folder / name
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise InputError(f"--name={name} is not a plain name; use letters, digits, dots and dashes")
    if target.exists():
        raise InputError(f"{target} exists already; choose another --name or remove it")
    with drafting(target, "--name") as draft:
        draft.mkdir()
        _fill(draft, plan)
        mobility: dict[str, str | float] = {"kind": "libsumo", "begin_s": plan.begin_s}
        write_first_run(draft, name, "made by cosim map make", mobility, plan.end_s - plan.begin_s, has_sites=True)
    return target


def _fill(home: Path, plan: _Plan) -> None:
    net = home / "net.net.xml.gz"
    draft = home / "draft.net.xml"
    run_program("netgenerate", [*plan.net, "--output-file", str(draft)], "generating the net")
    gzip_without_comments(draft, net)
    draft.unlink()
    random_routes(net, home / "rou.xml.gz", plan.trips)
    _write_sites(home / "sites.yaml", net)
    fields = {
        "title": plan.title,
        "origin": f"{_ORIGIN} {sumo_version()}",
        "licence": _LICENCE,
        "command": plan.command,
        "netgenerate": " ".join(plan.net),
        "randomTrips": " ".join(plan.trips),
    }
    lines = [f"{field} = {json.dumps(text)}" for field, text in fields.items()]
    lines += ["# Traffic time, s: the map is full, and the last departure.", f"begin_s = {plan.begin_s}"]
    (home / "SOURCE.toml").write_text("\n".join([*lines, f"end_s = {plan.end_s}", ""]), encoding="utf-8")


def _write_sites(path: Path, net: Path) -> None:
    sites = place_sites(RoadSites(kind="roads", spacing_m=_SITE_SPACING_M), net, read_bounds(net), None)
    lines = [f"  - {{name: {site.name}, x_m: {site.x_m}, y_m: {site.y_m}}}" for site in sites]
    head = f"# Along the widest roads, at least {_SITE_SPACING_M:g} m apart."
    path.write_text("\n".join([head, "sites:", *lines, ""]), encoding="utf-8")
