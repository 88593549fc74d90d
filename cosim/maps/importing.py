"""Import of map folders from OpenStreetMap, a SUMO net or scenario, OpenDRIVE, or recorded vehicles (FCD)."""

import bz2
import hashlib
import json
import logging
import re
import tempfile
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Literal, TypeAlias

from cosim.errors import InputError
from cosim.locks import drafting
from cosim.maps.convert import Side, convert
from cosim.maps.demand import Demand, filled_from, make_demand
from cosim.maps.recorded import import_recording
from cosim.maps.scenario_files import copy_additional, pack_net, pack_routes, read_configuration
from cosim.maps.sites import Method, plan_sites, survey, write_sites
from cosim.mobility.catalog import resolve_map
from cosim.mobility.programs import sumo_version
from cosim.quantity import quantity
from cosim.roads.net import read_bounds, read_net
from cosim.roads.siting import place_sites
from cosim.roads.xmlscan import scan_xml
from cosim.scenario.radio import Radio
from cosim.scenario.traffic import RoadSites

logger = logging.getLogger(__name__)

Placing: TypeAlias = Literal["roads", "grid", "junctions", "coverage", "none"]
_SPACING_M = 400.0
_RUN_S = 60.0
_WATCHED_S = 120.0
_SHOWN = 8
_OSM_LICENCE = "(c) OpenStreetMap contributors, ODbL-1.0"
_UNKNOWN_LICENCE = "not stated; ask where the file comes from"
_ROOTS = {"osm": "osm", "net": "net", "OpenDRIVE": "xodr", "fcd-export": "fcd"}
_ROOTS |= dict.fromkeys(("configuration", "sumoConfiguration", "sumocfg"), "sumocfg")


@dataclass(slots=True)
class Imported:
    """A map that is being imported: its report, line by line, and the content of SOURCE.toml and scenario.yaml."""

    report: list[tuple[str, str]] = field(default_factory=list)
    source: dict[str, str | float] = field(default_factory=dict)
    mobility: dict[str, str | float] = field(default_factory=dict)
    duration_s: float = _RUN_S
    has_sites: bool = False


def import_map(
    file: Path,
    name: str,
    folder: Path,
    wish: Demand,
    placing: Placing = "roads",
    side: Side = "auto",
    licence: str = "",
    routes: Path | None = None,
) -> Imported:
    """Make the map folder `folder / name`, whole or not at all.

    Args:
        file: *.osm, net.xml, *.sumocfg, *.xodr, FCD as XML, CSV or Parquet; XML may be gzipped, OpenStreetMap bzipped.
        name: name of the map folder.
        folder: folder in which it is made.
        wish: random demand, used unless the file or `routes` bring their own.
        placing: how sites are placed.
        side: side of the road on which people drive, for OpenStreetMap and OpenDRIVE.
        licence: licence of the file, as the user knows it.
        routes: route file with the user's own demand.

    Raises:
        InputError: the file is no map, is broken or holds no road for cars, or the name is not free.
    """
    target = folder / name
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise InputError(f"--name={name} is not a plain name; use letters, digits, dots and dashes")
    if target.exists():
        raise InputError(f"{target} exists already; choose another --name or remove it")
    if not file.is_file():
        raise InputError(f"{file}: there is no such file; correct the path")
    if routes is not None and not routes.is_file():
        raise InputError(f"--routes={routes}: there is no such file; correct the path")
    with drafting(target, "--name") as home:
        home.mkdir()
        made = _build(file, home, wish, placing, side, routes)
        made.source |= {"licence": licence or made.source["licence"]}
        _describe(made, file, home, name)
    return made


def _build(file: Path, home: Path, wish: Demand, placing: Placing, side: Side, routes: Path | None) -> Imported:
    with tempfile.TemporaryDirectory() as folder:
        plain = _unpacked(file, Path(folder))
        kind = _kind(plain)
        made = Imported(source={"origin": file.name, "licence": _UNKNOWN_LICENCE, "kind": kind})
        if kind == "fcd":
            made.mobility, made.duration_s, lines = import_recording(plain, home)
            made.report += lines
        else:
            _roads(made, plain, home, kind, side)
            logger.info("%s: the roads are made", file)
            _traffic(made, plain, home, kind, wish, routes)
    logger.info("%s: the traffic is made", file)
    _place(made, home, placing)
    return made


def _unpacked(file: Path, folder: Path) -> Path:
    if file.suffix != ".bz2":
        return file
    plain = folder / file.name.removesuffix(".bz2")
    try:
        plain.write_bytes(bz2.decompress(file.read_bytes()))
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be unpacked ({error}); get it again") from error
    return plain


def _kind(file: Path) -> str:
    if file.name.removesuffix(".gz").endswith((".csv", ".parquet")):
        return "fcd"
    roots: list[str] = []

    def on_element(name: str, _: dict[str, str]) -> bool:
        roots.append(name)
        return True  # stops the scan: the root names the format, and the file may be large

    scan_xml(file, on_element, "name OpenStreetMap, a SUMO net or .sumocfg, OpenDRIVE or FCD output")
    kind = _ROOTS.get(roots[0]) if roots else None
    if kind is None:
        shown = roots[0] if roots else "nothing"
        raise InputError(
            f"{file.name}: <{shown}> is not a map; name OpenStreetMap, a SUMO net, OpenDRIVE or FCD output"
        )
    return kind


def _roads(made: Imported, file: Path, home: Path, kind: str, side: Side) -> None:
    net = home / "net.net.xml.gz"
    if kind in ("osm", "xodr"):
        done = convert(file, "osm" if kind == "osm" else "xodr", net, side)
        made.source |= {"netconvert": done.options}
        if kind == "osm":
            made.source |= {"licence": _OSM_LICENCE}
        made.report += [("roads in the file", str(done.roads_in)), ("traffic", "left" if done.left_hand else "right")]
        shown = [("repaired or dropped", f"{count} x {warning}") for warning, count in done.warnings[:_SHOWN]]
        rest = sum(count for _, count in done.warnings[_SHOWN:])
        made.report += [*shown, *([("repaired or dropped", f"{rest} more of other kinds")] if rest else [])]
    elif kind == "net":
        pack_net(file, home)
    else:
        pack_net(read_configuration(file).net, home)
    read_bounds(net)
    roads = read_net(net)
    if not roads.edges:
        raise InputError(
            f"{file.name}: it has no road for passenger cars that connects; take an extract with connected roads"
        )
    made.report[:0] = [
        ("edges for cars", str(len(roads.edges))),
        ("road", quantity(roads.length_m, "m")),
        ("traffic lights", str(roads.traffic_lights)),
    ]


def _traffic(made: Imported, file: Path, home: Path, kind: str, wish: Demand, own: Path | None) -> None:
    net = home / "net.net.xml.gz"
    given: tuple[Path, ...] = () if own is None else (own,)
    additional: tuple[Path, ...] = ()
    if kind == "sumocfg":
        taken = read_configuration(file)
        given = given or taken.routes
        additional, silenced = copy_additional(taken.additional, home)
        made.mobility |= {"step_s": taken.step_s, "scale": taken.scale, "teleport_s": taken.teleport_s}
        made.report += [("detectors and the like", f"{silenced} write nowhere now")] if silenced else []
        made.report += [("not carried over", option) for option in taken.ignored]
        if taken.end_s is not None:
            made.source |= {"end_s": taken.end_s}
    if given and (wish.vehicles_per_hour or wish.concurrent or wish.profile or wish.trucks or wish.buses):
        raise InputError(f"{given[0].name} is demand of your own; leave the options that make demand out")
    if given:
        packed = pack_routes(given, home)
        begin_s, at_once, notes = filled_from(net, packed, additional, Demand())
        made.report += [("demand", f"kept from {', '.join(path.name for path in given)}")]
    else:
        done = make_demand(net, home / "rou.xml.gz", wish)
        begin_s, at_once, notes = done.begin_s, done.at_once, done.notes
        made.source |= {"end_s": done.end_s, "demand": _words(wish)}
        made.report += [("demand", f"{done.vehicles_per_hour:.0f} vehicles an hour")]
    made.source |= {"begin_s": begin_s}
    made.mobility |= {"kind": "libsumo", "begin_s": begin_s}
    if not isnan(at_once):
        made.report += [("vehicles at once", f"about {at_once:.0f} from t={begin_s:g} s on")]
    made.report += [("demand", note) for note in notes]


def _place(made: Imported, home: Path, placing: Placing) -> None:
    if placing == "none":
        return
    files = resolve_map(str(home.resolve()), home)
    path = home / "sites.yaml"
    net = files.net
    along = (
        () if net is None else place_sites(RoadSites(kind="roads", spacing_m=_SPACING_M), net, read_bounds(net), None)
    )
    if along and placing == "roads":
        write_sites(path, [(site.x_m, site.y_m) for site in along], f"Along the widest roads, {_SPACING_M:g} m apart.")
    else:
        area = survey(files, home, Radio(), _WATCHED_S, files.recording)
        method: Method = "coverage" if placing == "roads" else placing
        plan = plan_sites(area, method, len(along) or area.usual_count())
        write_sites(path, plan.sites_m.tolist(), f"By {method}.")
        made.report += [("covered vehicle-seconds", quantity(100.0 * plan.shares[method], "%"))]
    made.has_sites = True
    made.report += [("sites", str(path.read_text(encoding="utf-8").count("name:")))]


def _describe(made: Imported, file: Path, home: Path, name: str) -> None:
    made.source |= {"title": f"imported from {file.name}", "sumo": sumo_version(), "sha256": _hash(file)}
    for path in sorted(home.glob("*.xml*")):
        made.source |= {f"sha256_{re.sub(r'[^A-Za-z0-9]', '_', path.name)}": _hash(path)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in made.source.items()]
    (home / "SOURCE.toml").write_text("\n".join([*lines, ""]), encoding="utf-8")
    sites = "{kind: map}" if made.has_sites else "{kind: grid, spacing_m: 400}"
    mobility = ", ".join(f"{key}: {value}" for key, value in made.mobility.items())
    text = [
        f"# A first run on the imported map: cosim run {name}/scenario.yaml",
        f"name: {json.dumps(name)}",
        "map: .",
        f"duration_s: {min(made.duration_s, _RUN_S):g}",
        f"mobility: {{{mobility}}}",
        f"sites: {sites}",
        "",
    ]
    (home / "scenario.yaml").write_text("\n".join(text), encoding="utf-8")


def _words(wish: Demand) -> str:
    parts = (f"{key}={getattr(wish, key)!r}" for key in Demand.__slots__ if getattr(wish, key) not in (None, (), 0.0))
    return "randomTrips, " + ", ".join(parts)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
