"""Maps by name: real ones inside the package eclipse-sumo, bundled ones, and folders of the user."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from cosim.data_text import toml_data
from cosim.errors import InputError
from cosim.mobility.cache import cached, content_key, file_hash
from cosim.mobility.configuration import read_configuration
from cosim.mobility.demand import random_routes
from cosim.mobility.elements import brings_demand
from cosim.mobility.option_table import option_table
from cosim.mobility.programs import sumo_home, sumo_version
from cosim.resources import bundled
from cosim.roads.net import read_bounds

CONFIGURATION = "sumo.sumocfg"
"""Name of the SUMO configuration in a map folder."""
_SUMO_LICENCE = "EPL-2.0 OR GPL-2.0-or-later; road data (c) OpenStreetMap contributors, ODbL-1.0"
_A10KW_ROUTES = (
    "osm.passenger.rou.xml",
    "osm.truck.rou.xml",
    "osm.passenger_mw.rou.xml",
    "osm.truck_mw.rou.xml",
    "osm.passenger_mwb.rou.xml",
    "osm.truck_mwb.rou.xml",
    "extra.rou.xml",
)
_BERLIN_END_S = 5400.0
_ROUTES = "rou.xml.gz"
_BERLIN_TRIPS = ["--period", "0.4", "--end", "5400", "--seed", "42", "--random-depart"]
_BERLIN_TRIPS += ["--fringe-factor", "5", "--min-distance", "500", "--vehicle-class", "passenger"]


@dataclass(frozen=True, slots=True)
class MapFiles:
    """The files of a map: what SUMO reads, where roadside units stand, and where the map comes from."""

    name: str
    """Name in the catalog, or path of the folder."""
    net: Path | None
    """SUMO's net; None: the map is a recording without roads."""
    routes: tuple[Path, ...]
    """SUMO's route files."""
    additional: tuple[Path, ...] = ()
    """SUMO's additional files."""
    sites: Path | None = None
    """The map's sites.yaml; None without one."""
    begin_s: float = 0.0
    """Traffic time in s from which on the map is filled, a good mobility.begin_s; 0: not known."""
    end_s: float | None = None
    """Traffic time in s of the last departure; None: not known."""
    origin: str = ""
    licence: str = ""
    recording: Path | None = None
    """Recording in the folder, of `cosim map record` or of an import; None without one."""
    configuration: Path | None = None
    """SUMO configuration with the options that are not a scenario's; None: SUMO's own values."""
    further: tuple[tuple[str, tuple[Path, ...]], ...] = ()
    """Options of the configuration that name other files, and these files."""
    start_s: float = 0.0
    """Traffic time in s at which SUMO starts, the configuration's begin."""
    stop_s: float | None = None
    """Traffic time in s beyond which no run goes, the configuration's end; None: none."""
    traffic: tuple[tuple[str, float], ...] = ()
    """Fields of a scenario's `mobility` that the configuration sets, and its values."""

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that are named to SUMO; they may name others."""
        named = (*self.routes, *self.additional, *(path for _, paths in self.further for path in paths))
        return (*([] if self.net is None else [self.net]), *named, *filter(None, [self.configuration]))


@dataclass(frozen=True, slots=True)
class MapEntry:
    """A line of the catalog."""

    name: str
    title: str


_SUMO_MAPS = (
    MapEntry("sumo:a10kw", "Motorway ring south-east of Berlin (A10), about 965 vehicles at once from t=900 s on"),
    MapEntry(
        "sumo:berlin",
        "District in the south-east of Berlin, random demand, about 3,000 vehicles at once at t=1800 s and growing",
    ),
)


def net_of(files: MapFiles) -> Path:
    """Return the map's net.

    Raises:
        InputError: the map is a recording without roads.
    """
    if files.net is None:
        raise InputError(f"map={files.name}: it is a recording without roads; use mobility.kind=replay")
    return files.net


def list_maps() -> tuple[MapEntry, ...]:
    """Return the maps that need no path: SUMO's own, then the bundled ones by name.

    >>> [entry.name for entry in list_maps()][:2]
    ['sumo:a10kw', 'sumo:berlin']
    """
    home = bundled("sumo_maps")
    folders = sorted(home.iterdir()) if home.is_dir() else []
    own = [MapEntry(path.name, str(_source(path).get("title", ""))) for path in folders if _net(path) is not None]
    return (*_SUMO_MAPS, *own)


def resolve_map(name: str, folder: Path) -> MapFiles:
    """Return the files of a map.

    Args:
        name: name in the catalog, or path of a map folder.
        folder: folder that a relative path starts from.

    Raises:
        InputError: there is no such map, or it lacks its net or routes, or its net is not readable.
    """
    match name:
        case "sumo:a10kw":
            files = _a10kw()
        case "sumo:berlin":
            files = _berlin()
        case _:
            files = _map_folder(name, folder)
    for path in (*([] if files.net is None else [files.net]), *files.routes):
        if not path.is_file():
            raise InputError(f"map={name}: {path} is missing; install eclipse-sumo again")
    for path in files.inputs[0 if files.net is None else 1 :]:
        if "," in str(path):
            raise InputError(f"map={name}: SUMO cannot read {path}, commas part its list of files; rename the folder")
    if files.net is not None:
        read_bounds(files.net)
    return files


def _a10kw() -> MapFiles:
    home = sumo_home() / "tools" / "game" / "A10KW"
    return MapFiles(
        name="sumo:a10kw",
        net=home / "osm.net.xml",
        routes=tuple(home / route for route in _A10KW_ROUTES),
        begin_s=900.0,
        end_s=1800.0,
        origin="tools/game/A10KW of the package eclipse-sumo",
        licence=_SUMO_LICENCE,
    )


def _berlin() -> MapFiles:
    net = sumo_home() / "tools" / "game" / "DRT" / "osm.net.xml"
    if not net.is_file():
        raise InputError(f"map=sumo:berlin: {net} is missing; install eclipse-sumo again")
    key = content_key([file_hash(net), *_BERLIN_TRIPS, sumo_version()])
    routes = cached("demand", key, partial(_berlin_routes, net)) / _ROUTES
    return MapFiles(
        name="sumo:berlin",
        net=net,
        routes=(routes,),
        begin_s=1800.0,
        end_s=_BERLIN_END_S,
        origin="tools/game/DRT of the package eclipse-sumo; demand by randomTrips, seed 42",
        licence=_SUMO_LICENCE,
    )


def _berlin_routes(net: Path, folder: Path) -> None:
    random_routes(net, folder / _ROUTES, options=_BERLIN_TRIPS)


def _map_folder(name: str, folder: Path) -> MapFiles:
    ours = bundled("sumo_maps")
    own_names = [path.name for path in ours.iterdir()] if ours.is_dir() else []
    home = (ours if name in own_names else folder) / name
    if not _is_folder(home):
        known = ", ".join(entry.name for entry in list_maps())
        raise InputError(f"map={name}: no such map and no folder {home}; known maps are {known}")
    if (home / CONFIGURATION).is_file():
        return _configured(name, home)
    net, recording = _net(home), home / "recording.parquet"
    if net is None and not recording.is_file():
        raise InputError(f"map={name}: {home} holds no net.net.xml or net.net.xml.gz; put the SUMO net there")
    routes, additional = _routes(home), tuple(sorted(home.glob("*.add.xml")))
    if not routes and net is not None and not brings_demand(additional):
        raise InputError(
            f"map={name}: {home} holds no rou.xml or rou.xml.gz, no *.add.xml with vehicles; put the route file there"
        )
    return _described(MapFiles(name=name, net=net, routes=routes, additional=additional), home)


def _configured(name: str, home: Path) -> MapFiles:
    """Return the files that a map folder's SUMO configuration names."""
    read = read_configuration(home / CONFIGURATION)
    table = option_table()
    for option, _ in read.options:
        if table[option].is_left_out or table[option].starts_from_state:
            raise InputError(
                f"map={name}: {read.path} sets {option}, which cosim leaves out; take it out, or import the "
                "configuration by `cosim map import`"
            )
    nets = read.files("net-file")
    if len(nets) != 1:
        raise InputError(f"map={name}: {read.path} names no net-file; name the SUMO net there")
    named = [option for option, _ in read.options if table[option].is_read]
    own = ("net-file", "route-files", "additional-files")
    start_s, stop_s = read.period()
    files = MapFiles(
        name=name,
        net=nets[0],
        routes=read.files("route-files"),
        additional=read.files("additional-files"),
        configuration=read.path,
        further=tuple((option, read.files(option)) for option in named if option not in own),
        start_s=start_s,
        stop_s=stop_s,
        traffic=tuple(read.traffic().items()),
    )
    return _described(files, home)


def _described(files: MapFiles, home: Path) -> MapFiles:
    """Return the files with what else lies in the map folder."""
    source, sites, recording = _source(home), home / "sites.yaml", home / "recording.parquet"
    return replace(
        files,
        sites=sites if sites.is_file() else None,
        begin_s=_seconds(home, source, "begin_s") or files.start_s,
        end_s=_seconds(home, source, "end_s"),
        origin=str(source.get("origin", "")),
        licence=str(source.get("licence", "")),
        recording=recording if recording.is_file() else None,
    )


def own_folder(name: str, folder: Path) -> Path | None:
    """Return the folder of a map of the user's own; None for a map of the catalog, or if there is no such folder."""
    if name in [entry.name for entry in list_maps()]:
        return None
    return folder / name if _is_folder(folder / name) else None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # for example a name too long for the file system
        return False


def _net(home: Path) -> Path | None:
    return _either(home, "net.net.xml")


def _routes(home: Path) -> tuple[Path, ...]:
    """Return the route file, or several in the order of their names."""
    one = _either(home, "rou.xml")
    return (one,) if one else tuple(sorted(home.glob("*.rou.xml.gz")))


def _either(home: Path, name: str) -> Path | None:
    """Return the file, gzipped or plain; None if there is neither."""
    return next((path for path in (home / f"{name}.gz", home / name) if path.is_file()), None)


def _seconds(home: Path, source: dict[str, Any], field: str) -> float | None:
    value = source.get(field)
    if value is None or (isinstance(value, int | float) and value >= 0):
        return None if value is None else float(value)
    raise InputError(f"{home / 'SOURCE.toml'}: {field}={value!r} is not a time in seconds; correct it")


def _source(home: Path) -> dict[str, Any]:
    path = home / "SOURCE.toml"
    try:
        return toml_data(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise InputError(f"{path}: broken TOML, {error}; correct it") from error
