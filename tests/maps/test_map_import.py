"""One import command makes a map folder of whatever people have, or leaves nothing."""

import bz2
import gzip
import re
from contextlib import closing
from pathlib import Path

import pytest
from cosim_agents.baselines import GreedyLatency
from needs import real_map

from cosim.errors import InputError
from cosim.maps.demand import Demand, make_demand, parse_profile
from cosim.maps.driving_side import drives_left
from cosim.maps.importing import import_map
from cosim.maps.occupancy import OccupancyCurve, held, occupancy_curve
from cosim.maps.show import describe_map, draw_road_map
from cosim.mobility.catalog import resolve_map
from cosim.mobility.connect import connect
from cosim.mobility.programs import run_program, sumo_home
from cosim.mobility.record import record_frames
from cosim.resources import bundled
from cosim.roads.net import read_bounds
from cosim.roads.packed import open_packed
from cosim.roads.siting import place_sites
from cosim.scenario.load import load
from cosim.scenario.traffic import MapSites
from cosim.simulation import Simulation

CROSSING = bundled("sumo_maps") / "intersection"
SMALL = Demand(vehicles_per_hour=600, end_s=600)


def town(lat=48.0):
    """Four blocks of residential streets as OpenStreetMap, with a footway that no car uses."""
    nodes = [(1 + 3 * row + col, lat + 0.002 * row, 11.0 + 0.003 * col) for row in range(3) for col in range(3)]
    rows = [[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 4, 7], [2, 5, 8], [3, 6, 9]]
    lines = [f'<node id="{k}" lat="{y:.6f}" lon="{x:.6f}" version="1"/>' for k, y, x in nodes]
    for k, row in enumerate([*rows, [1, 5]]):
        kind = "residential" if k < len(rows) else "footway"
        refs = "".join(f'<nd ref="{ref}"/>' for ref in row)
        lines.append(f'<way id="{100 + k}" version="1">{refs}<tag k="highway" v="{kind}"/></way>')
    return '<osm version="0.6">' + "".join(lines) + "</osm>"


def run_20_s(home):
    loaded = load(home / "scenario.yaml", ["duration_s=20"])
    simulation = Simulation(loaded.scenario, folder=loaded.folder)
    with closing(simulation.source):
        simulation.run(GreedyLatency())
    assert len(simulation.sites) > 0


@pytest.mark.parametrize("packing", [None, "gz", "bz2"])
def test_openstreetmap(packing, tmp_path):
    """An extract, packed or plain, becomes a map whose report counts roads and which one command runs."""
    content = town().encode()
    packed = {None: content, "gz": gzip.compress(content), "bz2": bz2.compress(content)}[packing]
    file = tmp_path / ("town.osm" + (f".{packing}" if packing else ""))
    file.write_bytes(packed)
    made = import_map(file, "town", tmp_path, SMALL)
    assert ("roads in the file", "7") in made.report
    assert ("edges for cars", "16") in made.report
    source = (tmp_path / "town" / "SOURCE.toml").read_text()
    assert "ODbL" in source
    assert str(tmp_path) not in source
    files = resolve_map("town", tmp_path)
    assert describe_map(files).vehicles == pytest.approx(100, abs=5)
    if packing is None:
        run_20_s(tmp_path / "town")


def test_opendrive_and_net(tmp_path):
    """OpenDRIVE that netconvert wrote, and a plain SUMO net, become maps; a net is kept as it is."""
    net = CROSSING / "net.net.xml.gz"
    run_program("netconvert", ["-s", str(net), "--opendrive-output", str(tmp_path / "x.xodr")], "test")
    import_map(tmp_path / "x.xodr", "x", tmp_path, SMALL)
    assert describe_map(resolve_map("x", tmp_path)).edges == 8
    import_map(net, "plain", tmp_path, Demand(vehicles_per_hour=900, trucks=0.3, buses=0.2, end_s=600))
    with open_packed(tmp_path / "plain" / "net.net.xml.gz") as new, open_packed(net) as old:
        assert new.read() == old.read()
    with open_packed(tmp_path / "plain" / "rou.xml.gz") as stream:
        routes = stream.read().decode()
    share = routes.count('type="truck"') / routes.count("<vehicle ")
    assert 0.2 < share < 0.4  # 150 vehicles, 0.3 +- 3 standard deviations of 0.037


def test_configuration(tmp_path):
    """A .sumocfg keeps its demand and files; its detectors write nothing beside the map."""
    home = tmp_path / "given"
    home.mkdir()
    for name in ("net.net.xml.gz", "rou.xml.gz"):
        (home / name).write_bytes((CROSSING / name).read_bytes())
    (home / "d.add.xml").write_text(
        '<additional><e1Detector id="d" lane="A0left0_0" pos="9" freq="5" file="d.xml"/></additional>'
    )
    (home / "run.sumocfg").write_text(
        '<configuration><input><net-file value="net.net.xml.gz"/><route-files value="rou.xml.gz"/>'
        '<additional-files value="d.add.xml"/></input><time><step-length value="0.5"/></time>'
        '<processing><ignore-route-errors value="true"/></processing></configuration>'
    )
    made = import_map(home / "run.sumocfg", "town", tmp_path, Demand())
    assert ("handed to SUMO", "ignore-route-errors true") in made.report
    assert ("detectors and the like", "1 write nowhere now") in made.report
    run_20_s(tmp_path / "town")
    assert not list(tmp_path.rglob("d.xml"))
    assert load(tmp_path / "town" / "scenario.yaml").scenario.mobility.step_s == 0.5
    assert describe_map(resolve_map("town", tmp_path)).vehicles == 600


def test_recorded_vehicles_without_a_net(tmp_path):
    """SUMO's FCD output alone becomes a map that replays, with sites where the vehicles were, and can be drawn."""
    net, routes = CROSSING / "net.net.xml.gz", CROSSING / "rou.xml.gz"
    options = ["-n", str(net), "-r", str(routes), "--begin", "0", "--end", "90", "--no-step-log", "true"]
    run_program("sumo", [*options, "--fcd-output", str(tmp_path / "seen.xml")], "test")
    made = import_map(tmp_path / "seen.xml", "seen", tmp_path, Demand())
    assert ("roads", "none; runs replay it") in made.report
    run_20_s(tmp_path / "seen")
    files = resolve_map("seen", tmp_path)
    facts = describe_map(files)
    assert (facts.edges, facts.has_sites) == (0, True)
    assert facts.vehicles == len(set(re.findall(r'vehicle id="([^"]+)"', (tmp_path / "seen.xml").read_text()))) > 3
    draw_road_map(files, tmp_path / "seen.png", place_sites(MapSites(kind="map"), None, facts.bounds_m, files.sites))
    assert (tmp_path / "seen.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.osm", "<osm", "broken XML"),
        ("a.html", "<html/>", "is not a map"),
        ("a.osm.bz2", "no bzip", "cannot be unpacked"),
        ("a.osm", '<osm version="0.6"><node id="1" lat="48" lon="11"/></osm>', "a.osm"),
        ("a.osm", town().replace('way id="100"', 'way id="100#0"'), "Invalid Number Format"),
        ("a.osm", town().replace("residential", "footway"), "no road for passenger cars"),
        ("a.sumocfg", "<configuration/>", "names no net-file"),
        ("a.sumocfg", '<configuration><net-file value="b.net.xml"/></configuration>', "not there"),
        ("a.net.xml", "<net/>", "version"),
        ("a.csv", "a;b\n1;2\n", "no column of time"),
    ],
)
def test_broken_files(name, content, reason, tmp_path):
    """What is no map, or holds no road for cars, is refused in one line, and nothing is left behind."""
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=reason) as error:
        import_map(tmp_path / name, "town", tmp_path, Demand() if name == "a.csv" else SMALL)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_refused_names(tmp_path):
    """A name that is a path or taken, and a file that is not there, are refused."""
    (tmp_path / "town").mkdir()
    for name, reason in (("../x", "not a plain name"), ("town", "exists already"), ("new", "no such file")):
        with pytest.raises(InputError, match=reason):
            import_map(tmp_path / "gone.osm", name, tmp_path, SMALL)


def test_extracts_that_are_broken(tmp_path):
    """The malformed extract gives one line and leaves nothing."""
    with pytest.raises(InputError, match="Invalid Number Format"):
        import_map(real_map("osm/naunhof.osm.gz"), "naunhof", tmp_path, SMALL)
    assert not list(tmp_path.iterdir())


def test_a_race_track(tmp_path):
    """A circuit that no road leads to or from is a map."""
    ring = sumo_home() / "tools" / "game" / "racing" / "spreewaldring.osm"
    made = import_map(ring, "ring", tmp_path, SMALL)
    assert ("edges for cars", "2") in made.report
    assert describe_map(resolve_map("ring", tmp_path)).vehicles == 100


@pytest.mark.parametrize("name", ["bologna_joined/run.sumocfg", "osm/MonacoV2.osm.gz"])
@pytest.mark.long
def test_real_maps(name, tmp_path):
    """Bologna with its measured demand and Monaco from OpenStreetMap import and run 20 s."""
    import_map(real_map(name), "city", tmp_path, Demand(end_s=1800))
    run_20_s(tmp_path / "city")


@pytest.mark.long
def test_concurrent(tmp_path):
    """On the crossing the found rate holds 20 vehicles at once within 15 % of a mean over ten minutes."""
    net, routes = CROSSING / "net.net.xml.gz", tmp_path / "rou.xml.gz"
    made = make_demand(net, routes, Demand(concurrent=20, end_s=1800))
    curve = occupancy_curve(net, routes, made.begin_s + 600.0)
    mean = curve.running[curve.time_s >= made.begin_s].mean()
    assert abs(mean - 20) <= 3
    assert mean == pytest.approx(made.at_once, rel=0.15)


def test_held():
    """A window counts as held only if every second of it is near the wanted number."""
    import numpy as np

    time_s = np.arange(1500.0)
    assert held(OccupancyCurve(time_s, np.minimum(time_s, 900.0)), 900.0)[1] == pytest.approx(900, rel=0.01)
    assert held(OccupancyCurve(time_s, time_s), 900.0) is None


def test_profile_and_wishes():
    """A profile is read by hour; wishes that contradict each other are refused."""
    assert parse_profile("7:1,0:0.3") == ((0, 0.3), (7, 1.0))
    for text in ("7", "25:1", "7:0", "7:1,7:2", "x:1"):
        with pytest.raises(InputError, match="--profile"):
            parse_profile(text)
    for wish in (Demand(concurrent=5, vehicles_per_hour=5), Demand(trucks=0.7, buses=0.7), Demand(end_s=5)):
        with pytest.raises(InputError, match="--"):
            make_demand(Path("x"), Path("y"), wish)


def test_sides():
    """People drive on the left in London and Tokyo, on the right in Calais, Seoul and Monaco."""
    assert all(drives_left(*place) for place in ((51.5, -0.1), (35.7, 139.7), (-33.9, 151.2)))
    assert not any(drives_left(*place) for place in ((50.95, 1.85), (37.57, 127.0), (43.73, 7.42)))


def test_sites_by_hand(tmp_path):
    """A site by latitude and longitude, or by junction, stands where SUMO's own projection puts it."""
    (tmp_path / "town.osm").write_text(town())
    import_map(tmp_path / "town.osm", "town", tmp_path, SMALL, placing="none")
    sites = tmp_path / "town" / "sites.yaml"
    sites.write_text("sites: [{name: a, junction: '5'}, {name: b, lat: 48.002, lon: 11.003}]")
    files = resolve_map("town", tmp_path)
    by_name, by_place = place_sites(MapSites(kind="map"), files.net, read_bounds(files.net), files.sites)
    assert by_place.x_m == pytest.approx(by_name.x_m, abs=0.02)  # the net has centimetres
    assert by_place.y_m == pytest.approx(by_name.y_m, abs=0.02)
    sites.write_text("sites: [{name: a, junction: nowhere}]")
    with pytest.raises(InputError, match="no junction 'nowhere'"):
        place_sites(MapSites(kind="map"), files.net, read_bounds(files.net), files.sites)


def test_recording_is_drawn(tmp_path):
    """A recording in the map folder shows its density on the picture."""
    (tmp_path / "town.osm").write_text(town())
    import_map(tmp_path / "town.osm", "town", tmp_path, SMALL)
    files = resolve_map("town", tmp_path)
    loaded = load(tmp_path / "town" / "scenario.yaml")
    with closing(connect(loaded.scenario.mobility, ".", loaded.folder, 1, 20)) as source:
        record_frames(source, 20, tmp_path / "town" / "recording.parquet")
    draw_road_map(files, tmp_path / "a.png")
    draw_road_map(resolve_map("town", tmp_path), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


@pytest.mark.long
def test_monaco_holds_2000(tmp_path):
    """Monaco holds 2,000 vehicles within 15 % for ten minutes, or the report says how many it carries."""
    made = import_map(real_map("osm/MonacoV2.osm.gz"), "monaco", tmp_path, Demand(concurrent=2000))
    assert any(
        "were held for ten minutes" in text or re.search(r"it carries about [1-9]\d*", text) for _, text in made.report
    )
