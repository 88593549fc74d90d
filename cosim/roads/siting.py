"""Positions of the roadside units: listed, on a grid, along the widest roads, or as the map says."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import hypot
from pathlib import Path
from typing import Any, assert_never

import numpy as np
from pydantic import ValidationError

from cosim.errors import InputError
from cosim.roads.net import Bounds, Edge, read_net
from cosim.roads.projection import read_projection
from cosim.roads.xmlscan import scan_xml
from cosim.scenario.document import parse
from cosim.scenario.traffic import GridSites, ListedSites, MapSites, RoadSites, Site, Sites
from cosim.types import FloatArray

_MARGIN_M = 50.0
"""Distance beside the outermost road at which a unit may still stand."""
_SAMPLE_M = 25.0
"""Spacing of the candidate positions along a road."""

_MOST = 100_000
"""Most sites of a grid; more comes from a wrong unit."""


@dataclass(frozen=True, slots=True)
class PlacedSite:
    """A site with its position."""

    name: str
    x_m: float
    y_m: float
    cores: int | None = None
    """Cores of its host; None: the scenario's own value of compute.edge."""
    core_hz: float | None = None
    """Cycles per second of each; None likewise."""


def place_sites(sites: Sites, net: Path | None, bounds_m: Bounds, sites_file: Path | None) -> tuple[PlacedSite, ...]:
    """Return the sites of a run in order of their numbers.

    Args:
        sites: section of the scenario.
        net: net of the map; None without roads.
        bounds_m: bounds of the map.
        sites_file: the map folder's sites.yaml; None if it has none.

    Raises:
        InputError: a site is off the map, or the map lacks what the choice needs.
    """
    match sites:
        case ListedSites():
            return _listed(sites, bounds_m, "sites.sites")
        case GridSites(spacing_m=spacing_m):
            return _numbered(_grid(bounds_m, spacing_m))
        case RoadSites():
            if net is None:
                raise InputError("sites.kind=roads needs a map with a net and there is none; use listed or grid sites")
            return _numbered(places_along_roads(read_net(net).edges, sites))
        case MapSites():
            if sites_file is None:
                raise InputError("sites.kind=map needs a sites.yaml in the map folder; use roads, listed or grid sites")
            return _listed(_read_sites(sites_file, net), bounds_m, f"{sites_file}: sites")
        case _:
            assert_never(sites)


def _numbered(places: list[tuple[float, float]]) -> tuple[PlacedSite, ...]:
    return tuple(PlacedSite(f"rsu{k}", round(x_m, 2), round(y_m, 2)) for k, (x_m, y_m) in enumerate(places))


def _listed(listed: ListedSites, bounds_m: Bounds, where: str) -> tuple[PlacedSite, ...]:
    left, bottom, right, top = bounds_m
    for k, site in enumerate(listed.sites):
        inside_x = left - _MARGIN_M <= site.x_m <= right + _MARGIN_M
        inside_y = bottom - _MARGIN_M <= site.y_m <= top + _MARGIN_M
        if not (inside_x and inside_y):
            raise InputError(
                f"{where}[{k}]: {site.name} at x={site.x_m:g}, y={site.y_m:g} is off the map "
                f"(x {left:g}..{right:g}, y {bottom:g}..{top:g}); move it onto the map"
            )
    return tuple(PlacedSite(site.name, site.x_m, site.y_m, site.cores, site.core_hz) for site in listed.sites)


def _grid(bounds_m: Bounds, spacing_m: float) -> list[tuple[float, float]]:
    left, bottom, right, top = bounds_m
    count = max(1.0, (right - left) / spacing_m) * max(1.0, (top - bottom) / spacing_m)
    if not count <= _MOST:
        raise InputError(f"sites.spacing_m={spacing_m:g} gives {count:.3g} sites; raise it")
    return [(x, y) for y in _ticks(bottom, top, spacing_m) for x in _ticks(left, right, spacing_m)]


def _ticks(low: float, high: float, spacing: float) -> list[float]:
    """Return points `spacing` apart and centred between low and high; at least one."""
    count = max(1, int((high - low) // spacing))
    first = (low + high - (count - 1) * spacing) / 2.0
    return [first + k * spacing for k in range(count)]


def places_along_roads(edges: tuple[Edge, ...], wanted: RoadSites) -> list[tuple[float, float]]:
    """Return positions by greedy thinning: along the widest and fastest roads first, none nearer than the spacing.

    Positions lie in a hash of square cells as wide as the spacing, so that a test looks at nine cells.
    """
    limit = wanted.max_count or 2**62
    spacing_m = wanted.spacing_m
    cells: dict[tuple[int, int], list[tuple[float, float]]] = {}
    taken: list[tuple[float, float]] = []
    for x, y in _places(edges):
        column, row = int(x // spacing_m), int(y // spacing_m)
        near = (cells.get((column + i, row + j), ()) for i in (-1, 0, 1) for j in (-1, 0, 1))
        if any(hypot(x - other_x, y - other_y) < spacing_m for cell in near for other_x, other_y in cell):
            continue
        taken.append((x, y))
        cells.setdefault((column, row), []).append((x, y))
        if len(taken) == limit:
            break
    return taken


def _places(edges: tuple[Edge, ...]) -> Iterator[tuple[float, float]]:
    for edge in sorted(edges, key=lambda edge: (-edge.lanes * edge.speed_mps, edge.edge_id)):
        yield from map(tuple, _samples(edge.shape_m).tolist())


def _samples(shape_m: FloatArray) -> FloatArray:
    """Return points about every 25 m along a polyline, both ends included: (K, 2) -> (S, 2)."""
    along = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(shape_m, axis=0).T))))
    wanted = np.linspace(0.0, along[-1], max(2, round(along[-1] / _SAMPLE_M) + 1))
    return np.column_stack([np.interp(wanted, along, shape_m[:, axis]) for axis in (0, 1)])


def read_junctions(net: Path) -> dict[str, tuple[float, float, int]]:
    """Return position in m and number of incoming lanes of each junction by its id.

    Raises:
        InputError: the net is broken.
    """
    found: dict[str, tuple[float, float, int]] = {}

    def on_element(name: str, attributes: dict[str, str]) -> None:
        if name == "junction" and attributes.get("type") != "internal":
            lanes = len(attributes.get("incLanes", "").split())
            found[attributes["id"]] = float(attributes["x"]), float(attributes["y"]), lanes

    scan_xml(net, on_element, "rebuild the net with netconvert")
    return found


def _on_net(site: dict[str, Any], net: Path | None) -> dict[str, Any]:
    """Return a site with x_m and y_m in place of a junction or of lat and lon."""
    site = dict(site)
    if net is not None and "junction" in site:
        name = str(site.pop("junction"))
        place = read_junctions(net).get(name)
        if place is None:
            raise ValueError(f"the net has no junction {name!r}")
        site["x_m"], site["y_m"] = place[:2]
    elif net is not None and "lat" in site and "lon" in site:
        lat, lon = float(site.pop("lat")), float(site.pop("lon"))
        site["x_m"], site["y_m"] = read_projection(net).xy_m(lat, lon)
    return site


def _read_sites(path: Path, net: Path | None) -> ListedSites:
    try:
        content: Any = parse(path.read_text(encoding="utf-8-sig"), str(path)).data
        listed = content["sites"]
        return ListedSites(kind="listed", sites=tuple(Site(**_on_net(site, net)) for site in listed))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {field or 'sites'}: {first['msg']}; correct it") from error
    except (OSError, TypeError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: not a list of sites ({reason}); write `sites:` and one name, x_m, y_m each, "
            "or lat and lon, or junction, in place of x_m, y_m"
        ) from error
