"""The maps by name, and where roadside units stand on them."""

import gzip
import time
from itertools import combinations
from math import hypot
from pathlib import Path

import pytest

from cosim.errors import InputError
from cosim.maps.show import describe_map, draw_road_map
from cosim.mobility.catalog import list_maps, resolve_map
from cosim.mobility.programs import sumo_home
from cosim.resources import bundled
from cosim.roads.net import read_bounds
from cosim.roads.siting import place_sites
from cosim.scenario.traffic import GridSites, ListedSites, MapSites, RoadSites, Site

BERLIN = sumo_home() / "tools" / "game" / "DRT" / "osm.net.xml"


def test_catalog_names():
    """The catalog has SUMO's own maps and the bundled ones, and each bundled one resolves with origin and licence."""
    names = [entry.name for entry in list_maps()]
    assert names[:2] == ["sumo:a10kw", "sumo:berlin"]
    assert {"grid", "intersection"} <= set(names)
    for name in ("sumo:a10kw", "grid", "intersection"):
        files = resolve_map(name, Path())
        assert files.origin
        assert files.licence
        assert files.begin_s < files.end_s


def test_bundled_maps_name_no_machine():
    """Bundled maps are small and carry neither dates nor paths."""
    folder = bundled("sumo_maps")
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 1 << 20
    for path in folder.rglob("*.toml"):
        assert "/" not in path.read_text()
    for path in folder.rglob("*.gz"):
        assert b"<!--" not in gzip.decompress(path.read_bytes())


def test_own_folder(tmp_path):
    """A map folder is found relative to the scenario's folder, with its additional files and sites."""
    home = tmp_path / "maps" / "town"
    home.mkdir(parents=True)
    for name in ("net.net.xml.gz", "rou.xml.gz", "sites.yaml"):
        (home / name).write_bytes((bundled("sumo_maps") / "intersection" / name).read_bytes())
    (home / "stops.add.xml").write_text("<additional/>")
    files = resolve_map("maps/town", tmp_path)
    assert files.net == home / "net.net.xml.gz"
    assert files.additional == (home / "stops.add.xml",)
    assert files.sites == home / "sites.yaml"


@pytest.mark.parametrize("name", ["nowhere", "../nowhere", "x" * 200, "\u00e4" * 200, "sumo:x", "a\0b"])
def test_unknown_map(name):
    """A name that is no map gives one line with those that are."""
    with pytest.raises(InputError, match=r"known maps are sumo:a10kw") as error:
        resolve_map(name, Path())
    assert "\n" not in str(error.value)


def test_broken_source(tmp_path):
    """A broken SOURCE.toml is refused and named."""
    for name in ("net.net.xml.gz", "rou.xml.gz"):
        (tmp_path / name).write_bytes((bundled("sumo_maps") / "intersection" / name).read_bytes())
    for text, reason in (("begin_s = ", "broken TOML"), ("begin_s = 'soon'", "not a time in seconds")):
        (tmp_path / "SOURCE.toml").write_text(text)
        with pytest.raises(InputError, match=reason):
            resolve_map(".", tmp_path)


def test_description_and_picture(tmp_path):
    """`map show` counts roads and demand and draws the map."""
    files = resolve_map("intersection", Path())
    facts = describe_map(files)
    assert (facts.edges, facts.traffic_lights, facts.flows) == (8, 1, 0)
    assert facts.vehicles == 600
    assert facts.bounds_m == (0.0, 0.0, 600.0, 600.0)
    assert 8 * 280 < facts.road_m < 8 * 300
    draw_road_map(
        files, tmp_path / "map.png", place_sites(MapSites(kind="map"), files.net, facts.bounds_m, files.sites)
    )
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="cannot be written"):
        draw_road_map(files, tmp_path / "gone" / "map.png")


@pytest.mark.parametrize("spacing_m", [150.0, 400.0])
def test_sites_along_roads(spacing_m):
    """No two sites along roads are nearer than the spacing, and a city's are placed in under 2 s."""
    started = time.perf_counter()
    sites = place_sites(RoadSites(kind="roads", spacing_m=spacing_m), BERLIN, read_bounds(BERLIN), None)
    assert time.perf_counter() - started < 2.0
    assert len(sites) > 10
    assert min(hypot(a.x_m - b.x_m, a.y_m - b.y_m) for a, b in combinations(sites, 2)) > spacing_m - 0.02
    few = place_sites(RoadSites(kind="roads", spacing_m=spacing_m, max_count=5), BERLIN, read_bounds(BERLIN), None)
    assert few == sites[:5]


def test_sites_on_a_grid():
    """A grid is centred in the bounds; a map narrower than the spacing gets its middle."""
    bounds_m = (0.0, 0.0, 1000.0, 100.0)
    sites = place_sites(GridSites(kind="grid", spacing_m=400.0), None, bounds_m, None)
    assert [(site.x_m, site.y_m) for site in sites] == [(300.0, 50.0), (700.0, 50.0)]


def test_site_off_the_map():
    """A listed site off the map is refused with its place, its number and the map's bounds."""
    sites = (Site(name="a", x_m=1, y_m=-30), Site(name="rsu3", x_m=999, y_m=5))
    with pytest.raises(
        InputError, match=r"sites\.sites\[1\]: rsu3 at x=999, y=5 is off the map \(x 0\.\.100, y 0\.\.9\)"
    ):
        place_sites(ListedSites(kind="listed", sites=sites), None, (0.0, 0.0, 100.0, 9.0), None)


def test_sites_without_roads_or_file():
    """Sites along roads need a net, and those of the map need its file."""
    with pytest.raises(InputError, match="use listed or grid"):
        place_sites(RoadSites(kind="roads"), None, (0.0, 0.0, 1.0, 1.0), None)
    with pytest.raises(InputError, match=r"needs a sites\.yaml"):
        place_sites(MapSites(kind="map"), None, (0.0, 0.0, 1.0, 1.0), None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sites: 3",
        "sites: [1]",
        "sites: []",
        "sites: [{name: a, x_m: 1}]",
        "sites: [{name: a, x_m: 1, y_m: b}]",
        "{",
    ],
)
def test_broken_sites_file(text, tmp_path):
    """A broken sites.yaml is refused in one line that names the file."""
    (tmp_path / "sites.yaml").write_text(text)
    with pytest.raises(InputError, match=r"sites\.yaml") as error:
        place_sites(MapSites(kind="map"), None, (0.0, 0.0, 1.0, 1.0), tmp_path / "sites.yaml")
    assert "\n" not in str(error.value)
