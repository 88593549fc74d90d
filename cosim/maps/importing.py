"""Import of map folders from OpenStreetMap, a SUMO net or scenario, OpenDRIVE, or recorded vehicles (FCD, GPS)."""

import bz2
import json
import logging
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Literal, TypeAlias

from cosim.errors import InputError
from cosim.locks import drafting
from cosim.maps.convert import convert
from cosim.maps.demand import Demand, make_demand
from cosim.maps.driving_side import Side
from cosim.maps.first_run import double_quoted, write_first_run
from cosim.maps.own_traffic import bring, carry_inputs, told_settings, write_configuration
from cosim.maps.recorded import import_recording
from cosim.maps.scenario_files import NET, Carrier
from cosim.maps.sites import Method, plan_sites, survey, write_sites
from cosim.maps.trial import Told, silent
from cosim.mobility.cache import file_hash
from cosim.mobility.catalog import resolve_map
from cosim.mobility.configuration import read_configuration
from cosim.mobility.programs import sumo_version
from cosim.quantity import quantity
from cosim.roads.net import is_left_hand, read_bounds, read_net
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
    told: Told = silent,
) -> Imported:
    """Make the map folder `folder / name`, whole or not at all.

    Args:
        file: *.osm, net.xml, *.sumocfg, *.xodr, FCD as XML, CSV or Parquet, GPS tracks as CSV or Parquet; all but
            Parquet may be gzipped or bzipped.
        name: name of the map folder.
        folder: folder in which it is made.
        wish: random demand, used unless the file or `routes` bring their own.
        placing: how sites are placed.
        side: side of the road on which people drive; auto: that of the file, or of its country.
        licence: licence of the file, as the user knows it.
        routes: route file with the user's own demand.
        told: shows how far the import is.

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
        made = _build(file, home, wish, placing, side, routes, told)
        made.source |= {"licence": licence or made.source["licence"]}
        _describe(made, file, home, name)
    return made


def _build(
    file: Path, home: Path, wish: Demand, placing: Placing, side: Side, routes: Path | None, told: Told
) -> Imported:
    with tempfile.TemporaryDirectory() as folder:
        plain = _unpacked(file, Path(folder))
        kind = _kind(plain)
        made = Imported(source={"origin": file.name, "licence": _UNKNOWN_LICENCE, "kind": kind})
        if kind == "fcd":
            if wish != Demand() or routes is not None or side != "auto":
                raise InputError(
                    f"{file.name}: recorded vehicles bring their traffic; leave --routes, --side, demand out"
                )
            taken = import_recording(plain, home)
            made.mobility, made.duration_s = taken.mobility, taken.duration_s
            made.source |= {"projection": taken.projection} if taken.projection else {}
            made.report += taken.report
        else:
            _roads(made, plain, home, kind, side)
            logger.info("%s: the roads are made", file)
            _traffic(made, plain, home, kind, wish, routes, told)
    logger.info("%s: the traffic is made", file)
    _place(made, home, placing)
    return made


def _unpacked(file: Path, folder: Path) -> Path:
    """Return the file, or a copy in a folder if it is packed by bzip2, which nobody else reads."""
    try:
        with file.open("rb") as stream:
            head = stream.read(3)
        packing = file.suffix.lower()
        if head == b"BZh" or packing == ".bz2":
            plain = folder / (file.name[: -len(packing)] if packing == ".bz2" else file.name)
            with bz2.open(file) as packed, plain.open("wb") as out:
                shutil.copyfileobj(packed, out)
            return plain
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file}: cannot be unpacked ({error}); get it again") from error
    return file


def _kind(file: Path) -> str:
    name = file.name.lower().removesuffix(".gz")
    if name.endswith((".csv", ".parquet")):
        return "fcd"
    if name.endswith(".sumocfg"):
        return "sumocfg"  # whatever its root is called
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
        made.source |= {"netconvert": done.options, "driving_side": str(done.side)}
        if kind == "osm":
            made.source |= {"licence": _OSM_LICENCE}
        made.report += [("roads in the file", str(done.roads_in)), ("driving side", str(done.side))]
        if done.kept > 1:
            made.report += [("parts", f"{done.kept}, which no road connects")]
        if done.left_out:
            made.report += [("left out", f"{done.left_out} clippings, {quantity(done.left_out_m, 'm')} of road")]
        shown = [("repaired or dropped", f"{count} x {warning}") for warning, count in done.warnings[:_SHOWN]]
        rest = sum(count for _, count in done.warnings[_SHOWN:])
        made.report += [*shown, *([("repaired or dropped", f"{rest} more of other kinds")] if rest else [])]
    else:
        nets = (file,) if kind == "net" else read_configuration(file).files("net-file")
        if len(nets) != 1:
            raise InputError(f"{file.name}: it names no net-file, so it is no SUMO scenario; add one")
        Carrier(home).carry(nets[0], NET)
        driven = "left" if is_left_hand(net) else "right"
        if side not in ("auto", driven):
            raise InputError(f"--side={side}: the net has lanes for driving on the {driven}; leave --side out")
        made.source |= {"driving_side": driven}
        made.report += [("driving side", f"{driven}, as the net says")]
    read_bounds(net)
    roads = read_net(net)
    if not roads.edges:
        raise InputError(f"{file.name}: it has no road for passenger cars; take an extract with roads")
    made.report[:0] = [
        ("edges for cars", str(len(roads.edges))),
        ("road", quantity(roads.length_m, "m")),
        ("traffic lights", str(roads.traffic_lights)),
    ]


def _traffic(made: Imported, file: Path, home: Path, kind: str, wish: Demand, own: Path | None, told: Told) -> None:
    settings = read_configuration(file) if kind == "sumocfg" else None
    carrier, options, lines = carry_inputs(home, settings, own)
    made.report += [*lines, *(told_settings(settings) if settings is not None else [])]
    name = file.name if own is None else own.name
    notes: tuple[str, ...] = ()
    if carrier.demand and (wish.vehicles_per_hour or wish.concurrent or wish.profile or wish.trucks or wish.buses):
        raise InputError(f"{name} is demand of your own; leave the options that make demand out")
    if not carrier.demand:
        if own is not None:
            raise InputError(f"{name}: it holds no vehicle, trip or flow; name a route file with some")
        done = make_demand(home / NET, home / "rou.xml.gz", wish)
        notes = done.notes
        made.source |= {"end_s": done.end_s, "demand": _words(wish), "begin_s": done.begin_s}
        made.mobility |= {"kind": "libsumo", "begin_s": done.begin_s}
        made.report += [("demand", f"{done.vehicles_per_hour:.0f} vehicles an hour")]
        at_once, span = done.at_once, "ten minutes"
        options = {key: value for key, value in options.items() if key not in ("begin", "end")}
        options["route-files"] = "rou.xml.gz"
    if carrier.demand or settings is not None:
        write_configuration(home, options)
        brought = bring(home, carrier, name, told)
        made.report += brought.report
        if not wish.profile:
            made.mobility |= brought.mobility
            made.source |= {"begin_s": brought.begin_s} | ({} if brought.stop_s is None else {"end_s": brought.stop_s})
            made.duration_s = brought.duration_s
            at_once, span = brought.at_once, f"{brought.duration_s:.10g} s"
    if not isnan(at_once):
        from_s = made.source["begin_s"]
        made.report += [("vehicles at once", f"about {at_once:.0f} in the {span} from t={from_s:.10g} s on")]
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
    made.source |= {"title": f"imported from {file.name}", "sumo": sumo_version(), "sha256": file_hash(file)}
    for path in sorted((*home.glob("*.xml*"), *home.glob("*.sumocfg"))):
        made.source |= {f"sha256_{re.sub(r'[^A-Za-z0-9]', '_', path.name)}": file_hash(path)}
    told = {
        key: double_quoted(value) if isinstance(value, str) else json.dumps(value) for key, value in made.source.items()
    }
    lines = [f"{key} = {value}" for key, value in told.items()]
    (home / "SOURCE.toml").write_text("\n".join([*lines, ""]), encoding="utf-8")
    write_first_run(home, name, f"imported from {file.name}", made.mobility, made.duration_s, made.has_sites)


def _words(wish: Demand) -> str:
    parts = (f"{key}={getattr(wish, key)!r}" for key in Demand.__slots__ if getattr(wish, key) not in (None, (), 0.0))
    return "randomTrips, " + ", ".join(parts)
